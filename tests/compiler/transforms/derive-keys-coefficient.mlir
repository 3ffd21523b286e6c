// RUN: maskjit-opt %s -mask-derive-keys -canonicalize | FileCheck %s

// 3 k <= q: keys end after floor(q / 3).
// CHECK-LABEL: mask.func @third.row(
// CHECK: %[[THREE:.+]] = mask.constant 3
// CHECK: %[[SUM:.+]] = mask.add %arg2, %[[THREE]]
// CHECK: %[[END:.+]] = mask.floordiv %[[SUM]], %[[THREE]]
// CHECK: mask.return %{{.+}}, %[[END]] : index, index
mask.func @third(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %three = mask.constant 3 : index
  %x = mask.mul %k, %three
  %m = mask.cmp le, %x, %q
  mask.return %m : i1
}
