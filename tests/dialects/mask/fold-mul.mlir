// RUN: maskjit-opt %s -canonicalize | FileCheck %s

// x * 1 -> x
// CHECK-LABEL: mask.func @one(
// CHECK: mask.return %arg0 : index
mask.func @one(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %c = mask.constant 1 : index
  %r = mask.mul %x, %c
  mask.return %r : index
}

// x * 0 -> 0
// CHECK-LABEL: mask.func @zero(
// CHECK-NEXT: %[[ZERO:.+]] = mask.constant 0
// CHECK-NEXT: mask.return %[[ZERO]]
mask.func @zero(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %c = mask.constant 0 : index
  %r = mask.mul %x, %c
  mask.return %r : index
}

// x * 2 stays
// CHECK-LABEL: mask.func @two(
// CHECK: mask.mul %arg0
mask.func @two(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %c = mask.constant 2 : index
  %r = mask.mul %x, %c
  mask.return %r : index
}
