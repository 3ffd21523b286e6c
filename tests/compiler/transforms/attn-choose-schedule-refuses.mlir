// RUN: maskjit-opt %s -split-input-file -verify-diagnostics -attn-choose-schedule=arch=sm_86
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %t = mask.constant true
  mask.return %t : i1
}
func.func @shared_memory(%q: tensor<?x4x?x128xbf16>) {
  // expected-error@+1 {{schedule 128x128x2 needs 163840 bytes of shared memory at D = 128; sm_86 has 101376. 128x128x1 fits (98304)}}
  %a, %l = attn.forward @m scale 0.125 (%q, %q, %q) {schedule = #attn.schedule<kernel = forward, family = "Sm80", tile_queries = 128, tile_keys = 128, stages = 2, warps = 8>} : (tensor<?x4x?x128xbf16>, tensor<?x4x?x128xbf16>, tensor<?x4x?x128xbf16>) -> tensor<?x4x?xf32>
  return
}
// -----
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %t = mask.constant true
  mask.return %t : i1
}
func.func @instructions(%q: tensor<?x4x?x64xbf16>) {
  // expected-error@+1 {{schedule family Sm75 is not for sm_86; it takes Sm80}}
  %a, %l = attn.forward @m scale 0.125 (%q, %q, %q) {schedule = #attn.schedule<kernel = forward, family = "Sm75", tile_queries = 64, tile_keys = 64, stages = 1, warps = 4>} : (tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>) -> tensor<?x4x?xf32>
  return
}
// -----
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %t = mask.constant true
  mask.return %t : i1
}
func.func @rows_a_warp(%q: tensor<?x4x?x64xbf16>) {
  // expected-error@+1 {{schedule 128x64x2: a warp works on 16 or 32 rows: 128 rows need 4 or 8 warps, got 3}}
  %a, %l = attn.forward @m scale 0.125 (%q, %q, %q) {schedule = #attn.schedule<kernel = forward, family = "Sm80", tile_queries = 128, tile_keys = 64, stages = 2, warps = 3>} : (tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>) -> tensor<?x4x?xf32>
  return
}
// -----
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %t = mask.constant true
  mask.return %t : i1
}
func.func @other_kernel(%q: tensor<?x4x?x64xbf16>) {
  // expected-error@+1 {{has a schedule of decode as schedule, which takes one of forward}}
  %a, %l = attn.forward @m scale 0.125 (%q, %q, %q) {schedule = #attn.schedule<kernel = decode, family = "Sm80", tile_queries = 16, tile_keys = 64, stages = 2, warps = 4>} : (tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>) -> tensor<?x4x?xf32>
  return
}
// -----
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %t = mask.constant true
  mask.return %t : i1
}
func.func @head_dimension(%q: tensor<?x4x?x80xbf16>) {
  // expected-error@+1 {{head dim 80 is not supported; pad it with zeros to the next of 32, 64, 96, 128, 256}}
  %a, %l = attn.forward @m scale 0.125 (%q, %q, %q) : (tensor<?x4x?x80xbf16>, tensor<?x4x?x80xbf16>, tensor<?x4x?x80xbf16>) -> tensor<?x4x?xf32>
  return
}
