// RUN: maskjit-opt %s -split-input-file -verify-diagnostics

// expected-error@+1 {{'mask.func' op declares parameter "window" twice}}
mask.func @twice(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "window", axis = none, min = 1, max = 128, isStatic = false, isSorted = false, isFloat = false, defaultValue = 128 : i64>,
    #mask.decl<name = "window", axis = none, min = 1, max = 128, isStatic = false, isSorted = false, isFloat = false, defaultValue = 128 : i64>]} {
  %m = mask.cmp le, %k, %q
  mask.return %m : i1
}

// -----

// expected-error@+1 {{'mask.func' op declares "window" with min 5 above max 4}}
mask.func @reversed(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "window", axis = none, min = 5, max = 4, isStatic = false, isSorted = false, isFloat = false>]} {
  %m = mask.cmp le, %k, %q
  mask.return %m : i1
}

// -----

// expected-error@+1 {{'mask.func' op expects #mask.decl in 'params', got 3 : i64}}
mask.func @other(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [3]} {
  %m = mask.cmp le, %k, %q
  mask.return %m : i1
}
