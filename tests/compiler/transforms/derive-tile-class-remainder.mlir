// RUN: maskjit-opt %s -mask-derive-tile-class -canonicalize | FileCheck %s

// (q - k) % 4 == 0: some difference in the tile is a multiple of 4 if the rounded bounds leave one.
// CHECK-LABEL: mask.func @dilated.classify(
// CHECK: mask.floordiv
// CHECK: mask.floordiv
// CHECK: mask.cmp lt
// CHECK: mask.return
mask.func @dilated(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %c = mask.constant 4 : index
  %zero = mask.constant 0 : index
  %d = mask.sub %q, %k
  %r = mask.mod %d, %c
  %m = mask.cmp eq, %r, %zero
  mask.return %m : i1
}
