// RUN: maskjit-opt %s -mask-simplify | FileCheck %s

// not k < q is k >= q.
// CHECK-LABEL: mask.func @negated(
// CHECK-NOT: mask.not
// CHECK: mask.cmp ge, %arg3, %arg2
mask.func @negated(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %less = mask.cmp lt, %k, %q
  %m = mask.not %less
  mask.return %m : i1
}

// CHECK-LABEL: mask.func @of_a_union(
// CHECK: mask.not
mask.func @of_a_union(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %less = mask.cmp lt, %k, %q
  %far = mask.cmp lt, %h, %q
  %either = mask.or %less, %far
  %m = mask.not %either
  mask.return %m : i1
}
