// RUN: maskjit-opt %s -split-input-file -verify-diagnostics
func.func @no_mask(%q: tensor<?x4x?x64xbf16>) {
  // expected-error@+1 {{'attn.forward' op names @m, which is no mask.func of this module}}
  %out, %lse = attn.forward @m scale 0.125 (%q, %q, %q) : (tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>) -> tensor<?x4x?xf32>
  return
}
// -----
mask.func @m.keys(%b: index, %h: index, %q0: index, %q1: index) -> (index, index) {
  mask.return %q0, %q1 : index, index
}
func.func @derived(%q: tensor<?x4x?x64xbf16>) {
  // expected-error@+1 {{'attn.forward' op names @m.keys, which is derived from a mask; name the predicate, @m}}
  %out, %lse = attn.forward @m.keys scale 0.125 (%q, %q, %q) : (tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>) -> tensor<?x4x?xf32>
  return
}
// -----
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "offset", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>]} {
  %t = mask.constant true
  mask.return %t : i1
}
func.func @too_few_parameters(%q: tensor<?x4x?x64xbf16>) {
  // expected-error@+1 {{'attn.forward' op passes 0 parameters, but @m declares 1}}
  %out, %lse = attn.forward @m scale 0.125 (%q, %q, %q) : (tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>) -> tensor<?x4x?xf32>
  return
}
// -----
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "offset", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>]} {
  %t = mask.constant true
  mask.return %t : i1
}
func.func @wrong_type(%q: tensor<?x4x?x64xbf16>, %f: tensor<1xf32>) {
  // expected-error@+1 {{'attn.forward' op passes 'f32' for "offset", which @m declares as an integer}}
  %out, %lse = attn.forward @m scale 0.125 (%q, %q, %q) params (%f) : (tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>), (tensor<1xf32>) -> tensor<?x4x?xf32>
  return
}
// -----
func.func @heads(%q: tensor<?x6x?x64xbf16>, %kv: tensor<?x4x?x64xbf16>) {
  // expected-error@+1 {{'attn.forward' op the number of query heads must be a multiple of the number of key heads, got 6 and 4}}
  %out, %lse = attn.forward @m scale 0.125 (%q, %kv, %kv) : (tensor<?x6x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>) -> tensor<?x6x?xf32>
  return
}
// -----
func.func @head_dimension(%q: tensor<?x4x?x64xbf16>, %kv: tensor<?x4x?x32xbf16>) {
  // expected-error@+1 {{'attn.forward' op head dimension differs: query has 64, key has 32}}
  %out, %lse = attn.forward @m scale 0.125 (%q, %kv, %kv) : (tensor<?x4x?x64xbf16>, tensor<?x4x?x32xbf16>, tensor<?x4x?x32xbf16>) -> tensor<?x4x?xf32>
  return
}
// -----
func.func @element_type(%q: tensor<?x4x?x64xbf16>, %kv: tensor<?x4x?x64xf16>) {
  // expected-error@+1 {{'attn.forward' op query, key and value must have one element type, got 'bf16', 'f16' and 'f16'}}
  %out, %lse = attn.forward @m scale 0.125 (%q, %kv, %kv) : (tensor<?x4x?x64xbf16>, tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>) -> tensor<?x4x?xf32>
  return
}
// -----
func.func @page_size(%q: tensor<?x4x1x64xbf16>, %kv: tensor<?x4x24x64xbf16>, %t: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error@+1 {{'attn.decode' op the page size must be a power of two, got 24}}
  %out, %lse = attn.decode @m scale 0.125 (%q, %kv, %kv) pages (%t, %n) : (tensor<?x4x1x64xbf16>, tensor<?x4x24x64xbf16>, tensor<?x4x24x64xbf16>) pages (tensor<?x?xi32>, tensor<?xi32>) -> tensor<?x4x1xf32>
  return
}
// -----
func.func @sinks_of_other_heads(%q: tensor<?x4x?x64xbf16>, %s: tensor<8xf32>) {
  // expected-error@+1 {{'attn.forward' op number of heads differs: query has 4, sinks has 8}}
  %out, %lse = attn.forward @m scale 0.125 (%q, %q, %q) sinks (%s) : (tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>) sinks (tensor<8xf32>) -> tensor<?x4x?xf32>
  return
}
// -----
// expected-error@+1 {{stages is 0, must be at least 1}}
func.func private @s() attributes {s = #attn.schedule<kernel = forward, family = "Sm80", tile_queries = 128, tile_keys = 64, stages = 0, warps = 4>}
