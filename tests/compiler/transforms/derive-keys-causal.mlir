// RUN: maskjit-opt %s -mask-derive-keys -canonicalize | FileCheck %s

// Keys below 0 do not exist: a range without a lower bound begins at 0.
// CHECK-LABEL: mask.func @causal.keys(
// CHECK: %[[ZERO:.+]] = mask.constant 0
// CHECK: mask.return %[[ZERO]], %arg3 : index, index
// CHECK-LABEL: mask.func @causal.full_keys(
// CHECK: %[[END:.+]] = mask.add %arg2, %{{.+}}
// CHECK: mask.return %{{.+}}, %[[END]] : index, index
// CHECK-LABEL: mask.func @causal.row(
// CHECK: %[[END:.+]] = mask.add %arg2, %{{.+}}
// CHECK: mask.return %{{.+}}, %[[END]] : index, index
mask.func @causal(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %m = mask.cmp le, %k, %q
  mask.return %m : i1
}
