// RUN: maskjit-opt %s -verify-diagnostics

mask.func @number(%b: index, %h: index, %q: index, %k: index) -> i1 {
  // expected-error@+1 {{'mask.return' op returns 'index', but @number declares 'i1'}}
  mask.return %q : index
}
