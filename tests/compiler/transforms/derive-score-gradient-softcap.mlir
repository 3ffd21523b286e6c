// RUN: maskjit-opt %s -mask-derive-score-gradient | FileCheck %s

// cap * tanh(s / cap): cap * (1 - tanh^2) / cap
// CHECK-LABEL: mask.func @m.score_grad(
// CHECK: %[[CAP:.+]] = mask.param "cap" : f32
// CHECK: %[[X:.+]] = arith.divf %arg0, %[[CAP]]
// CHECK: %[[SLOPE:.+]] = arith.divf %{{.+}}, %[[CAP]]
// CHECK: %[[T:.+]] = math.tanh %[[X]]
// CHECK: %[[SQUARE:.+]] = arith.mulf %[[T]], %[[T]]
// CHECK: %[[OUTER:.+]] = arith.subf %{{.+}}, %[[SQUARE]]
// CHECK: %[[INNER:.+]] = arith.mulf %[[OUTER]], %[[SLOPE]]
// CHECK: %[[GRADIENT:.+]] = arith.mulf %[[CAP]], %[[INNER]]
// CHECK: mask.return %[[GRADIENT]] : f32
mask.func @m.score(%s: f32, %b: index, %h: index, %q: index, %k: index) -> f32 attributes {params = [
    #mask.decl<name = "cap", axis = none, min = 0, max = 0, isStatic = false, isSorted = false, isFloat = true>]} {
  %cap = mask.param "cap" : f32
  %x = arith.divf %s, %cap : f32
  %t = math.tanh %x : f32
  %r = arith.mulf %cap, %t : f32
  mask.return %r : f32
}
