// RUN: maskjit-opt %s -mask-derive-tile-class -canonicalize -cse | FileCheck %s

// q / 64 == k / 64: chunks of the tile's corners are compared, no row of it is looked at.
// CHECK-LABEL: mask.func @chunk.classify(
// CHECK-DAG: mask.floordiv %arg2, %
// CHECK: mask.return
mask.func @chunk(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %c = mask.constant 64 : index
  %x = mask.floordiv %q, %c
  %y = mask.floordiv %k, %c
  %m = mask.cmp eq, %x, %y
  mask.return %m : i1
}
