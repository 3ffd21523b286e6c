// RUN: maskjit-opt %s -mask-derive-tile-class -canonicalize | FileCheck %s

// Not empty if k0 < q1; full unless q0 < k1 - 1.
// CHECK-LABEL: mask.func @causal.classify(
// CHECK-SAME: %arg2: index, %arg3: index, %arg4: index, %arg5: index) -> (i1, i1)
// CHECK: %[[ANY:.+]] = mask.cmp gt, %arg3, %arg4
// CHECK: mask.return %[[ANY]], %{{.+}} : i1, i1
mask.func @causal(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %m = mask.cmp le, %k, %q
  mask.return %m : i1
}
