// RUN: maskjit-opt %s -mask-pipeline -mlir-pass-statistics 2>&1 | FileCheck %s

// CHECK-DAG: MaskDeriveKeys
// CHECK-DAG: 3 functions-derived
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %m = mask.cmp le, %k, %q
  mask.return %m : i1
}
