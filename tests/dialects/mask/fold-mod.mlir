// RUN: maskjit-opt %s -canonicalize | FileCheck %s

// x % 1 -> 0
// CHECK-LABEL: mask.func @one(
// CHECK-NEXT: %[[R:.+]] = mask.constant 0
// CHECK-NEXT: mask.return %[[R]]
mask.func @one(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %c = mask.constant 1 : index
  %r = mask.mod %x, %c
  mask.return %r : index
}

// -7 % 4 -> 1: of the sign of the divisor
// CHECK-LABEL: mask.func @negative_dividend(
// CHECK-NEXT: %[[R:.+]] = mask.constant 1
// CHECK-NEXT: mask.return %[[R]]
mask.func @negative_dividend(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %a = mask.constant -7 : index
  %b = mask.constant 4 : index
  %r = mask.mod %a, %b
  mask.return %r : index
}

// 7 % -4 -> -1
// CHECK-LABEL: mask.func @negative_divisor(
// CHECK-NEXT: %[[R:.+]] = mask.constant -1
// CHECK-NEXT: mask.return %[[R]]
mask.func @negative_divisor(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %a = mask.constant 7 : index
  %b = mask.constant -4 : index
  %r = mask.mod %a, %b
  mask.return %r : index
}

// 7 % 0 -> 7
// CHECK-LABEL: mask.func @by_zero(
// CHECK-NEXT: %[[R:.+]] = mask.constant 7
// CHECK-NEXT: mask.return %[[R]]
mask.func @by_zero(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %a = mask.constant 7 : index
  %b = mask.constant 0 : index
  %r = mask.mod %a, %b
  mask.return %r : index
}

// x % 2 stays
// CHECK-LABEL: mask.func @two(
// CHECK: mask.mod %arg0
mask.func @two(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %c = mask.constant 2 : index
  %r = mask.mod %x, %c
  mask.return %r : index
}
