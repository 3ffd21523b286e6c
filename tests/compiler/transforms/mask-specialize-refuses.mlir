// RUN: maskjit-opt %s -split-input-file -verify-diagnostics -mask-specialize=values=window=300

// expected-error@+1 {{'mask.func' op has the static parameter "sink" without a value; pass values=sink=<integer>}}
mask.func @missing(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "sink", axis = none, min = 0, max = 4, isStatic = true, isSorted = false, isFloat = false>]} {
  %w = mask.param "sink" : index
  %m = mask.cmp lt, %k, %w
  mask.return %m : i1
}

// -----

// expected-error@+1 {{'mask.func' op declares "window" in [1, 256], got 300}}
mask.func @out_of_range(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "window", axis = none, min = 1, max = 256, isStatic = true, isSorted = false, isFloat = false>]} {
  %w = mask.param "window" : index
  %m = mask.cmp lt, %k, %w
  mask.return %m : i1
}
