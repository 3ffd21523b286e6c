// RUN: maskjit-opt %s | maskjit-opt | FileCheck %s
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "offset", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "slopes", axis = h, min = 0, max = 0, isStatic = false, isSorted = false, isFloat = true>]} {
  %t = mask.constant true
  mask.return %t : i1
}

// CHECK-LABEL: @forward
func.func @forward(%q: tensor<?x64x?x64xbf16>, %kv: tensor<?x8x?x64xbf16>, %i: tensor<1xi32>, %f: tensor<64xf32>) {
  // CHECK: attn.forward @m scale 1.250000e-01(%{{.*}}, %{{.*}}, %{{.*}}) params(%{{.*}}, %{{.*}}) sinks(%{{.*}}) : (tensor<?x64x?x64xbf16>, tensor<?x8x?x64xbf16>, tensor<?x8x?x64xbf16>), (tensor<1xi32>, tensor<64xf32>) sinks(tensor<64xf32>) -> tensor<?x64x?xf32>
  %out, %lse = attn.forward @m scale 0.125 (%q, %kv, %kv) params (%i, %f) sinks (%f) : (tensor<?x64x?x64xbf16>, tensor<?x8x?x64xbf16>, tensor<?x8x?x64xbf16>), (tensor<1xi32>, tensor<64xf32>) sinks (tensor<64xf32>) -> tensor<?x64x?xf32>
  return
}

// CHECK-LABEL: @scheduled
func.func @scheduled(%q: tensor<?x64x?x64xbf16>, %kv: tensor<?x8x?x64xbf16>, %i: tensor<1xi32>, %f: tensor<64xf32>) {
  // CHECK: {schedule = #attn.schedule<kernel = forward, family = "Sm80", tile_queries = 128, tile_keys = 64, stages = 2, warps = 4>}
  %out, %lse = attn.forward @m scale 0.125 (%q, %kv, %kv) params (%i, %f) {schedule = #attn.schedule<kernel = forward, family = "Sm80", tile_queries = 128, tile_keys = 64, stages = 2, warps = 4>} : (tensor<?x64x?x64xbf16>, tensor<?x8x?x64xbf16>, tensor<?x8x?x64xbf16>), (tensor<1xi32>, tensor<64xf32>) -> tensor<?x64x?xf32>
  return
}

// CHECK-LABEL: @backward
func.func @backward(%q: tensor<2x4x5x32xf16>, %kv: tensor<2x2x7x32xf16>, %lse: tensor<2x4x5xf32>, %i: tensor<1xi32>, %f: tensor<4xf32>) {
  // CHECK: attn.backward @m {{.*}} sinks(tensor<4xf32>) -> tensor<4xf32>
  %dq, %dk, %dv, %ds = attn.backward @m scale 0.2 (%q, %kv, %kv, %q, %lse, %q) params (%i, %f) sinks (%f) : (tensor<2x4x5x32xf16>, tensor<2x2x7x32xf16>, tensor<2x2x7x32xf16>, tensor<2x4x5xf32>), (tensor<1xi32>, tensor<4xf32>) sinks (tensor<4xf32>) -> tensor<4xf32>
  return
}

// CHECK-LABEL: @decode
func.func @decode(%q: tensor<?x64x1x64xbf16>, %kv: tensor<?x8x16x64xbf16>, %t: tensor<?x?xi32>, %n: tensor<?xi32>, %i: tensor<1xi32>, %f: tensor<64xf32>) {
  // CHECK: attn.decode @m scale 1.250000e-01(%{{.*}}, %{{.*}}, %{{.*}}) pages(%{{.*}}, %{{.*}}) params
  %out, %lse = attn.decode @m scale 0.125 (%q, %kv, %kv) pages (%t, %n) params (%i, %f) : (tensor<?x64x1x64xbf16>, tensor<?x8x16x64xbf16>, tensor<?x8x16x64xbf16>) pages (tensor<?x?xi32>, tensor<?xi32>), (tensor<1xi32>, tensor<64xf32>) -> tensor<?x64x1xf32>
  return
}
