// RUN: maskjit-opt %s -split-input-file -verify-diagnostics

mask.func @undeclared(%b: index, %h: index, %q: index, %k: index) -> i1 {
  // expected-error@+1 {{'mask.param' op reads "window", which @undeclared does not declare}}
  %w = mask.param "window" : index
  %m = mask.cmp le, %k, %w
  mask.return %m : i1
}

// -----

mask.func @array_as_scalar(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "documents", axis = k, min = 0, max = 100, isStatic = false, isSorted = true, isFloat = false>]} {
  // expected-error@+1 {{'mask.param' op reads "documents" as a scalar, but it is declared as an array}}
  %w = mask.param "documents" : index
  %m = mask.cmp le, %k, %w
  mask.return %m : i1
}

// -----

mask.func @scalar_as_array(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "window", axis = none, min = 1, max = 128, isStatic = false, isSorted = false, isFloat = false, defaultValue = 128 : i64>]} {
  // expected-error@+1 {{'mask.load' op reads "window" as an array, but it is declared as a scalar}}
  %w = mask.load "window"[%k] : index
  %m = mask.cmp le, %k, %w
  mask.return %m : i1
}

// -----

mask.func @integer_as_real(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "window", axis = none, min = 1, max = 128, isStatic = false, isSorted = false, isFloat = false, defaultValue = 128 : i64>]} {
  // expected-error@+1 {{'mask.param' op reads "window" as 'f32', but it is declared as an integer}}
  %w = mask.param "window" : f32
  %m = mask.cmp le, %k, %q
  mask.return %m : i1
}
