// RUN: maskjit-opt %s -canonicalize | FileCheck %s

// x <= x -> true
// CHECK-LABEL: mask.func @le_same(
// CHECK-NEXT: %[[R:.+]] = mask.constant true
// CHECK-NEXT: mask.return %[[R]]
mask.func @le_same(%x: index, %y: index, %p: i1, %q: i1) -> i1 {
  %r = mask.cmp le, %x, %x
  mask.return %r : i1
}

// x < x -> false
// CHECK-LABEL: mask.func @lt_same(
// CHECK-NEXT: %[[R:.+]] = mask.constant false
// CHECK-NEXT: mask.return %[[R]]
mask.func @lt_same(%x: index, %y: index, %p: i1, %q: i1) -> i1 {
  %r = mask.cmp lt, %x, %x
  mask.return %r : i1
}

// 3 >= 3 -> true
// CHECK-LABEL: mask.func @constants(
// CHECK-NEXT: %[[R:.+]] = mask.constant true
// CHECK-NEXT: mask.return %[[R]]
mask.func @constants(%x: index, %y: index, %p: i1, %q: i1) -> i1 {
  %a = mask.constant 3 : index
  %b = mask.constant 3 : index
  %r = mask.cmp ge, %a, %b
  mask.return %r : i1
}

// 3 != 3 -> false
// CHECK-LABEL: mask.func @not_equal(
// CHECK-NEXT: %[[R:.+]] = mask.constant false
// CHECK-NEXT: mask.return %[[R]]
mask.func @not_equal(%x: index, %y: index, %p: i1, %q: i1) -> i1 {
  %a = mask.constant 3 : index
  %b = mask.constant 3 : index
  %r = mask.cmp ne, %a, %b
  mask.return %r : i1
}

// x <= y stays
// CHECK-LABEL: mask.func @different(
// CHECK: mask.cmp le, %arg0, %arg1
mask.func @different(%x: index, %y: index, %p: i1, %q: i1) -> i1 {
  %r = mask.cmp le, %x, %y
  mask.return %r : i1
}
