// RUN: maskjit-opt %s -mask-specialize | FileCheck %s

// Without a value the default counts.
// CHECK-LABEL: mask.func @default(
// CHECK-NOT: mask.param
// CHECK: mask.constant 128 : index
mask.func @default(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "window", axis = none, min = 1, max = 256, isStatic = true, isSorted = false, isFloat = false, defaultValue = 128 : i64>]} {
  %w = mask.param "window" : index
  %m = mask.cmp lt, %k, %w
  mask.return %m : i1
}
