// RUN: maskjit-opt %s -mask-pipeline -mlir-pass-statistics 2>&1 | FileCheck %s

// CHECK-DAG: 3 mask-derive-keys {{.*}} ranges of keys added
// CHECK-DAG: 1 mask-derive-tile-class {{.*}} classes of tiles added
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %m = mask.cmp le, %k, %q
  mask.return %m : i1
}
