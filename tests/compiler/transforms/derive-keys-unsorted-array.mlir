// RUN: maskjit-opt %s -mask-derive-keys -canonicalize | FileCheck %s

// Nothing is known of keep[k]: the causal part still bounds the keys, no range is full, no row an interval.
// CHECK-LABEL: mask.func @keep.keys(
// CHECK-NOT: mask.load
// CHECK: mask.return %{{.+}}, %arg3 : index, index
// CHECK-NOT: @keep.full_keys
// CHECK-NOT: @keep.row
mask.func @keep(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "keep", axis = k, min = 0, max = 1, isStatic = false, isSorted = false, isFloat = false>]} {
  %kept = mask.load "keep"[%k] : index
  %one = mask.constant 1 : index
  %is = mask.cmp eq, %kept, %one
  %causal = mask.cmp le, %k, %q
  %m = mask.and %causal, %is
  mask.return %m : i1
}
