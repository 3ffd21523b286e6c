// RUN: maskjit-opt %s -mask-prove-width -verify-diagnostics

mask.func @large(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "n", axis = none, min = 0, max = 2147483647, isStatic = false, isSorted = false, isFloat = false>]} {
  %n = mask.param "n" : index
  %square = mask.mul %n, %n
  // expected-error@+1 {{'((n * n) * q)' can be anything in [0, 1237940033520772756428292095], which 64 bits do not hold; declare narrower ranges of its parameters}}
  %product = mask.mul %square, %q
  %m = mask.cmp le, %k, %product
  mask.return %m : i1
}
