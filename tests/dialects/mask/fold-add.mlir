// RUN: maskjit-opt %s -canonicalize | FileCheck %s

// x + 0 -> x
// CHECK-LABEL: mask.func @zero(
// CHECK: mask.return %arg0 : index
mask.func @zero(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %c = mask.constant 0 : index
  %r = mask.add %x, %c
  mask.return %r : index
}

// 0 + x -> x
// CHECK-LABEL: mask.func @zero_left(
// CHECK: mask.return %arg0 : index
mask.func @zero_left(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %c = mask.constant 0 : index
  %r = mask.add %c, %x
  mask.return %r : index
}

// 2 + 3 -> 5
// CHECK-LABEL: mask.func @constants(
// CHECK-NEXT: %[[FIVE:.+]] = mask.constant 5
// CHECK-NEXT: mask.return %[[FIVE]]
mask.func @constants(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %a = mask.constant 2 : index
  %b = mask.constant 3 : index
  %r = mask.add %a, %b
  mask.return %r : index
}

// A sum that 64 bits do not hold stays: values have no width.
// CHECK-LABEL: mask.func @no_overflow(
// CHECK: mask.add
mask.func @no_overflow(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %a = mask.constant 9223372036854775807 : index
  %b = mask.constant 1 : index
  %r = mask.add %a, %b
  mask.return %r : index
}

// x + 1 stays
// CHECK-LABEL: mask.func @other(
// CHECK: mask.add %arg0
mask.func @other(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %c = mask.constant 1 : index
  %r = mask.add %x, %c
  mask.return %r : index
}
