// RUN: maskjit-opt %s -mask-derive-score-gradient | FileCheck %s

// min(s, 3): 1 up to the corner, then 0.
// CHECK-LABEL: mask.func @m.score_grad(
// CHECK: %[[FIRST:.+]] = arith.cmpf ole, %arg0, %{{.+}}
// CHECK: %[[GRADIENT:.+]] = arith.select %[[FIRST]], %{{.+}}, %{{.+}} : f32
// CHECK: mask.return %[[GRADIENT]] : f32
mask.func @m.score(%s: f32, %b: index, %h: index, %q: index, %k: index) -> f32 {
  %three = arith.constant 3.0 : f32
  %r = arith.minimumf %s, %three : f32
  mask.return %r : f32
}
