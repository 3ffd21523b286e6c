// RUN: maskjit-opt %s -mask-derive-score-gradient | FileCheck %s

// s - slope * (q - k): the bias does not depend on s, the slope is 1 and the bias is not computed.
// CHECK-LABEL: mask.func @m.score_grad(
// CHECK-NOT: mask.sub
// CHECK: %[[ONE:.+]] = arith.constant 1.000000e+00 : f32
// CHECK: mask.return %[[ONE]] : f32
mask.func @m.score(%s: f32, %b: index, %h: index, %q: index, %k: index) -> f32 {
  %slope = arith.constant 0.5 : f32
  %d = mask.sub %q, %k
  %f = mask.to_float %d
  %bias = arith.mulf %slope, %f : f32
  %r = arith.subf %s, %bias : f32
  mask.return %r : f32
}
