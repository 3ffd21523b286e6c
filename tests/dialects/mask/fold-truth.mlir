// RUN: maskjit-opt %s -canonicalize | FileCheck %s

// p and true -> p
// CHECK-LABEL: mask.func @and_true(
// CHECK: mask.return %arg2 : i1
mask.func @and_true(%x: index, %y: index, %p: i1, %q: i1) -> i1 {
  %c = mask.constant true
  %r = mask.and %p, %c
  mask.return %r : i1
}

// p and false -> false
// CHECK-LABEL: mask.func @and_false(
// CHECK-NEXT: %[[R:.+]] = mask.constant false
// CHECK-NEXT: mask.return %[[R]]
mask.func @and_false(%x: index, %y: index, %p: i1, %q: i1) -> i1 {
  %c = mask.constant false
  %r = mask.and %p, %c
  mask.return %r : i1
}

// p or false -> p
// CHECK-LABEL: mask.func @or_false(
// CHECK: mask.return %arg2 : i1
mask.func @or_false(%x: index, %y: index, %p: i1, %q: i1) -> i1 {
  %c = mask.constant false
  %r = mask.or %p, %c
  mask.return %r : i1
}

// p or true -> true
// CHECK-LABEL: mask.func @or_true(
// CHECK-NEXT: %[[R:.+]] = mask.constant true
// CHECK-NEXT: mask.return %[[R]]
mask.func @or_true(%x: index, %y: index, %p: i1, %q: i1) -> i1 {
  %c = mask.constant true
  %r = mask.or %p, %c
  mask.return %r : i1
}

// p and p -> p
// CHECK-LABEL: mask.func @and_same(
// CHECK: mask.return %arg2 : i1
mask.func @and_same(%x: index, %y: index, %p: i1, %q: i1) -> i1 {
  %r = mask.and %p, %p
  mask.return %r : i1
}

// p or p -> p
// CHECK-LABEL: mask.func @or_same(
// CHECK: mask.return %arg2 : i1
mask.func @or_same(%x: index, %y: index, %p: i1, %q: i1) -> i1 {
  %r = mask.or %p, %p
  mask.return %r : i1
}

// not not p -> p
// CHECK-LABEL: mask.func @not_not(
// CHECK: mask.return %arg2 : i1
mask.func @not_not(%x: index, %y: index, %p: i1, %q: i1) -> i1 {
  %n = mask.not %p
  %r = mask.not %n
  mask.return %r : i1
}

// p and q stays
// CHECK-LABEL: mask.func @different(
// CHECK: mask.and %arg2, %arg3
mask.func @different(%x: index, %y: index, %p: i1, %q: i1) -> i1 {
  %r = mask.and %p, %q
  mask.return %r : i1
}

// not p stays
// CHECK-LABEL: mask.func @not_once(
// CHECK: mask.not %arg2
mask.func @not_once(%x: index, %y: index, %p: i1, %q: i1) -> i1 {
  %r = mask.not %p
  mask.return %r : i1
}
