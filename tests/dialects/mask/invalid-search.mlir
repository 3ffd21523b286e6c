// RUN: maskjit-opt %s -split-input-file -verify-diagnostics

mask.func @unsorted(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "keep", axis = k, min = 0, max = 1, isStatic = false, isSorted = false, isFloat = false>]} {
  // expected-error@+1 {{'mask.search' op searches "keep", which is not declared sorted}}
  %i = mask.search "keep" ge %q
  %m = mask.cmp le, %k, %i
  mask.return %m : i1
}

// -----

mask.func @no_bound(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "documents", axis = k, min = 0, max = 100, isStatic = false, isSorted = true, isFloat = false>]} {
  // expected-error@+1 {{'mask.first' op expects a positive bound, got 0}}
  %i = mask.first "documents" ge %q within 0
  %m = mask.cmp le, %k, %i
  mask.return %m : i1
}
