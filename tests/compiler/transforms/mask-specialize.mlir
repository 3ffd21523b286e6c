// RUN: maskjit-opt %s -mask-specialize=values=window=64 | FileCheck %s

// The given value wins over the default; a run-time parameter stays.
// CHECK-LABEL: mask.func @given_value(
// CHECK-NOT: "window"
// CHECK-SAME: #mask.decl<name = "offset"
mask.func @given_value(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "window", axis = none, min = 1, max = 256, isStatic = true, isSorted = false, isFloat = false, defaultValue = 128 : i64>,
    #mask.decl<name = "offset", axis = none, min = 0, max = 256, isStatic = false, isSorted = false, isFloat = false>]} {
  // CHECK-DAG: %[[W:.+]] = mask.constant 64 : index
  // CHECK-DAG: %[[O:.+]] = mask.param "offset"
  %w = mask.param "window" : index
  %o = mask.param "offset" : index
  // CHECK: mask.sub %[[O]], %[[W]]
  %d = mask.sub %o, %w
  %m = mask.cmp le, %k, %d
  mask.return %m : i1
}
