// RUN: maskjit-opt %s -canonicalize | FileCheck %s

// min(x, x) -> x
// CHECK-LABEL: mask.func @min_same(
// CHECK: mask.return %arg0 : index
mask.func @min_same(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %r = mask.min %x, %x
  mask.return %r : index
}

// max(x, x) -> x
// CHECK-LABEL: mask.func @max_same(
// CHECK: mask.return %arg0 : index
mask.func @max_same(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %r = mask.max %x, %x
  mask.return %r : index
}

// min(-3, 2) -> -3
// CHECK-LABEL: mask.func @min_constants(
// CHECK-NEXT: %[[R:.+]] = mask.constant -3
// CHECK-NEXT: mask.return %[[R]]
mask.func @min_constants(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %a = mask.constant -3 : index
  %b = mask.constant 2 : index
  %r = mask.min %a, %b
  mask.return %r : index
}

// max(-3, 2) -> 2
// CHECK-LABEL: mask.func @max_constants(
// CHECK-NEXT: %[[R:.+]] = mask.constant 2
// CHECK-NEXT: mask.return %[[R]]
mask.func @max_constants(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %a = mask.constant -3 : index
  %b = mask.constant 2 : index
  %r = mask.max %a, %b
  mask.return %r : index
}

// min(x, y) stays
// CHECK-LABEL: mask.func @different(
// CHECK: mask.min %arg0, %arg1
mask.func @different(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %r = mask.min %x, %y
  mask.return %r : index
}
