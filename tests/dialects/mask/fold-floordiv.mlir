// RUN: maskjit-opt %s -canonicalize | FileCheck %s

// x / 1 -> x
// CHECK-LABEL: mask.func @one(
// CHECK: mask.return %arg0 : index
mask.func @one(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %c = mask.constant 1 : index
  %r = mask.floordiv %x, %c
  mask.return %r : index
}

// -7 / 2 -> -4: rounds down
// CHECK-LABEL: mask.func @rounds_down(
// CHECK-NEXT: %[[R:.+]] = mask.constant -4
// CHECK-NEXT: mask.return %[[R]]
mask.func @rounds_down(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %a = mask.constant -7 : index
  %b = mask.constant 2 : index
  %r = mask.floordiv %a, %b
  mask.return %r : index
}

// 7 / -2 -> -4
// CHECK-LABEL: mask.func @negative_divisor(
// CHECK-NEXT: %[[R:.+]] = mask.constant -4
// CHECK-NEXT: mask.return %[[R]]
mask.func @negative_divisor(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %a = mask.constant 7 : index
  %b = mask.constant -2 : index
  %r = mask.floordiv %a, %b
  mask.return %r : index
}

// 7 / 0 -> 0
// CHECK-LABEL: mask.func @by_zero(
// CHECK-NEXT: %[[R:.+]] = mask.constant 0
// CHECK-NEXT: mask.return %[[R]]
mask.func @by_zero(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %a = mask.constant 7 : index
  %b = mask.constant 0 : index
  %r = mask.floordiv %a, %b
  mask.return %r : index
}

// x / 2 stays
// CHECK-LABEL: mask.func @two(
// CHECK: mask.floordiv %arg0
mask.func @two(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %c = mask.constant 2 : index
  %r = mask.floordiv %x, %c
  mask.return %r : index
}

// x / x stays: it is 0 for 0
// CHECK-LABEL: mask.func @same(
// CHECK: mask.floordiv
mask.func @same(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %r = mask.floordiv %x, %x
  mask.return %r : index
}
