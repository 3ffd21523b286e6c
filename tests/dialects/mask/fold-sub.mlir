// RUN: maskjit-opt %s -canonicalize | FileCheck %s

// x - 0 -> x
// CHECK-LABEL: mask.func @zero(
// CHECK: mask.return %arg0 : index
mask.func @zero(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %c = mask.constant 0 : index
  %r = mask.sub %x, %c
  mask.return %r : index
}

// x - x -> 0
// CHECK-LABEL: mask.func @same(
// CHECK-NEXT: %[[ZERO:.+]] = mask.constant 0
// CHECK-NEXT: mask.return %[[ZERO]]
mask.func @same(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %r = mask.sub %x, %x
  mask.return %r : index
}

// 0 - x stays
// CHECK-LABEL: mask.func @negation(
// CHECK: mask.sub %{{.+}}, %arg0
mask.func @negation(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %c = mask.constant 0 : index
  %r = mask.sub %c, %x
  mask.return %r : index
}

// x - y stays
// CHECK-LABEL: mask.func @different(
// CHECK: mask.sub %arg0, %arg1
mask.func @different(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %r = mask.sub %x, %y
  mask.return %r : index
}
