// RUN: maskjit-opt %s -canonicalize | FileCheck %s

// select true, x, y -> x
// CHECK-LABEL: mask.func @taken(
// CHECK: mask.return %arg0 : index
mask.func @taken(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %c = mask.constant true
  %r = mask.select %c, %x, %y : index
  mask.return %r : index
}

// select false, x, y -> y
// CHECK-LABEL: mask.func @not_taken(
// CHECK: mask.return %arg1 : index
mask.func @not_taken(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %c = mask.constant false
  %r = mask.select %c, %x, %y : index
  mask.return %r : index
}

// select p, x, x -> x
// CHECK-LABEL: mask.func @same(
// CHECK: mask.return %arg0 : index
mask.func @same(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %r = mask.select %p, %x, %x : index
  mask.return %r : index
}

// select p, x, y stays
// CHECK-LABEL: mask.func @different(
// CHECK: mask.select %arg2, %arg0, %arg1
mask.func @different(%x: index, %y: index, %p: i1, %q: i1) -> index {
  %r = mask.select %p, %x, %y : index
  mask.return %r : index
}
