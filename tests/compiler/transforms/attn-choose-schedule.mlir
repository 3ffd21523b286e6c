// RUN: maskjit-opt %s -attn-choose-schedule=arch=sm_90a | FileCheck %s
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %t = mask.constant true
  mask.return %t : i1
}

// CHECK-LABEL: @takes_the_table_s
func.func @takes_the_table_s(%q: tensor<?x4x?x64xbf16>, %lse: tensor<?x4x?xf32>, %t: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // CHECK: attn.forward {{.*}} {schedule = #attn.schedule<kernel = forward, family = "Sm80",
  %a, %l = attn.forward @m scale 0.125 (%q, %q, %q) : (tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>) -> tensor<?x4x?xf32>
  // CHECK: attn.decode {{.*}} {schedule = #attn.schedule<kernel = decode, family = "Sm80", tile_queries = 16,
  %b, %m = attn.decode @m scale 0.125 (%q, %q, %q) pages (%t, %n) : (tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>) pages (tensor<?x?xi32>, tensor<?xi32>) -> tensor<?x4x?xf32>
  // CHECK: attn.backward {{.*}} {dkdv_schedule = #attn.schedule<kernel = backward_dkdv, {{.*}}, dq_schedule = #attn.schedule<kernel = backward_dq,
  %dq, %dk, %dv = attn.backward @m scale 0.125 (%q, %q, %q, %q, %lse, %q) : (tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>)
  return
}

// CHECK-LABEL: @keeps_one_that_fits
func.func @keeps_one_that_fits(%q: tensor<?x4x?x128xbf16>) {
  // CHECK: tile_queries = 128, tile_keys = 128, stages = 2, warps = 8
  %a, %l = attn.forward @m scale 0.125 (%q, %q, %q) {schedule = #attn.schedule<kernel = forward, family = "Sm80", tile_queries = 128, tile_keys = 128, stages = 2, warps = 8>} : (tensor<?x4x?x128xbf16>, tensor<?x4x?x128xbf16>, tensor<?x4x?x128xbf16>) -> tensor<?x4x?xf32>
  return
}
