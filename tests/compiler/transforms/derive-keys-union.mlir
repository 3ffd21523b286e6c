// RUN: maskjit-opt %s -mask-derive-keys -canonicalize | FileCheck %s

// Two pieces of keys: the range spans both, and no row is one interval.
// CHECK-LABEL: mask.func @union.keys(
// CHECK: mask.min
// CHECK: mask.max
// CHECK-NOT: @union.row
mask.func @union(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "window", axis = none, min = 1, max = 128, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "globals", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>]} {
  %w = mask.param "window" : index
  %g = mask.param "globals" : index
  %zero = mask.constant 0 : index
  %d = mask.sub %q, %k
  %lower = mask.cmp le, %zero, %d
  %upper = mask.cmp lt, %d, %w
  %near = mask.and %lower, %upper
  %global = mask.cmp lt, %k, %g
  %m = mask.or %near, %global
  mask.return %m : i1
}
