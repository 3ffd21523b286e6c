// RUN: maskjit-opt %s -split-input-file -verify-diagnostics
func.func @features(%x: tensor<?x32xbf16>, %w: tensor<64x64xbf16>) {
  // expected-error@+1 {{'attn.linear' op number of input features differs: the input has 32, a matrix has 64}}
  %y = attn.linear %x by (%w) : (tensor<?x32xbf16>, tensor<64x64xbf16>) -> tensor<?x64xbf16>
  return
}
// -----
func.func @results(%x: tensor<?x64xbf16>, %w: tensor<64x64xbf16>) {
  // expected-error@+1 {{'attn.linear' op has a result for each matrix, got 2 matrices and 1 results}}
  %y = attn.linear %x by (%w, %w) : (tensor<?x64xbf16>, tensor<64x64xbf16>, tensor<64x64xbf16>) -> tensor<?x64xbf16>
  return
}
// -----
func.func @fp16_norm(%x: tensor<?x64xf32>, %g: tensor<64xf16>, %w: tensor<64x64xf16>) {
  // expected-error@+1 {{'attn.linear' op cannot norm the input of an fp16 product, which x * weight could overflow; use attn.rms_norm}}
  %y = attn.linear %x norm (%g) eps 1.0e-05 by (%w) : (tensor<?x64xf32>, tensor<64xf16>, tensor<64x64xf16>) -> tensor<?x64xf16>
  return
}
// -----
func.func @append_without_rope(%x: tensor<?x64xbf16>, %w: tensor<64x64xbf16>, %kp: tensor<?x4x16x16xbf16>, %t: tensor<?x?xi32>) {
  // expected-error@+1 {{'attn.linear' op appends keys and values at `rope` positions to pages of both by a table}}
  %y:2 = attn.linear %x by (%w, %w) append (%kp, %kp, %t) : (tensor<?x64xbf16>, tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<?x4x16x16xbf16>, tensor<?x4x16x16xbf16>, tensor<?x?xi32>) -> (tensor<?x4x16x16xbf16>, tensor<?x4x16x16xbf16>)
  return
}
// -----
func.func @odd_heads(%x: tensor<?x64xbf16>, %p: tensor<?xi32>, %f: tensor<8xf32>) {
  // expected-error@+1 {{'attn.rope' op turns heads of an even size that divides the row, got head 24 and rows of 64}}
  %y = attn.rope %x (%p, %f) scale 1.0 head 24 : tensor<?x64xbf16>, tensor<?xi32>, tensor<8xf32>
  return
}
// -----
func.func @frequencies(%x: tensor<?x64xbf16>, %p: tensor<?xi32>, %f: tensor<4xf32>) {
  // expected-error@+1 {{'attn.rope' op needs a frequency for each of 8 pairs of a head, got 4}}
  %y = attn.rope %x (%p, %f) scale 1.0 head 16 : tensor<?x64xbf16>, tensor<?xi32>, tensor<4xf32>
  return
}
// -----
func.func @too_many_experts(%x: tensor<?x64xf32>, %w: tensor<4x64xbf16>, %b: tensor<4xbf16>, %p: tensor<?xi32>) {
  // expected-error@+1 {{'attn.route' op chooses 1 to 4 experts, got 5}}
  %e, %s = attn.route %x by (%w, %b) top 5 at (%p) : (tensor<?x64xf32>, tensor<4x64xbf16>, tensor<4xbf16>, tensor<?xi32>) -> (tensor<?x5xi32>, tensor<?x5xf32>)
  return
}
// -----
func.func @heads_of_pages(%k: tensor<?x64xbf16>, %kp: tensor<?x2x16x16xbf16>, %t: tensor<?x?xi32>, %p: tensor<?xi32>) {
  // expected-error@+1 {{'attn.append_kv' op appends rows of heads x head dimension, got 64 features for 'tensor<?x2x16x16xbf16>'}}
  %k1, %v1 = attn.append_kv %k, %k to (%kp, %kp) pages (%t, %p) : (tensor<?x64xbf16>, tensor<?x64xbf16>) to (tensor<?x2x16x16xbf16>, tensor<?x2x16x16xbf16>) pages (tensor<?x?xi32>, tensor<?xi32>)
  return
}
// -----
func.func @elements(%q: tensor<?x64xbf16>) {
  // expected-error@+1 {{'attn.reshape' op keeps the elements, got 'tensor<?x64xbf16>' and 'tensor<?x4x1x8xbf16>'}}
  %r = attn.reshape %q : tensor<?x64xbf16> -> tensor<?x4x1x8xbf16>
  return
}
// -----
func.func @rank_of_an_adapter(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16>, %a: tensor<8x64xbf16>, %b: tensor<32x8xbf16>) {
  // expected-error@+1 {{'attn.linear' op has an adapter whose rank is a multiple of 16, got 'tensor<8x64xbf16>'; pad it with zeros}}
  %y = attn.linear %x by (%w) lora (%a) (%b) of [true] : (tensor<?x64xbf16>, tensor<32x64xbf16>, tensor<8x64xbf16>, tensor<32x8xbf16>) -> tensor<?x32xbf16>
  return
}
// -----
func.func @factors_of_an_adapter(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16>, %a: tensor<16x64xbf16>, %b: tensor<32x16xbf16>) {
  // expected-error@+1 {{'attn.linear' op has two factors for each of 2 adapted matrices, got 1 and 1}}
  %y:2 = attn.linear %x by (%w, %w) lora (%a) (%b) of [true, true] : (tensor<?x64xbf16>, tensor<32x64xbf16>, tensor<32x64xbf16>, tensor<16x64xbf16>, tensor<32x16xbf16>) -> (tensor<?x32xbf16>, tensor<?x32xbf16>)
  return
}
// -----
func.func @flags_of_an_adapter(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16>, %a: tensor<16x64xbf16>, %b: tensor<32x16xbf16>) {
  // expected-error@+1 {{'attn.linear' op says of each matrix whether it is adapted, got 2 for 1 matrices}}
  %y = attn.linear %x by (%w) lora (%a) (%b) of [true, false] : (tensor<?x64xbf16>, tensor<32x64xbf16>, tensor<16x64xbf16>, tensor<32x16xbf16>) -> tensor<?x32xbf16>
  return
}
// -----
func.func @features_of_an_adapter(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16>, %a: tensor<16x64xbf16>, %b: tensor<64x16xbf16>) {
  // expected-error@+1 {{'attn.linear' op number of features differs: a matrix has 32, its second factor has 64}}
  %y = attn.linear %x by (%w) lora (%a) (%b) of [true] : (tensor<?x64xbf16>, tensor<32x64xbf16>, tensor<16x64xbf16>, tensor<64x16xbf16>) -> tensor<?x32xbf16>
  return
}
// -----
func.func @nf4_codes_of_another_matrix(%c: tensor<32x32xi8>, %t: tensor<16xf32>, %a: tensor<32x2xf32>) {
  // expected-error@+1 {{'attn.nf4' op has two codes a byte and an absmax for 64 of them, got 'tensor<32x32xi8>' and 'tensor<32x2xf32>' for 'tensor<32x128xbf16>'}}
  %w = attn.nf4 %c, %t, %a : (tensor<32x32xi8>, tensor<16xf32>, tensor<32x2xf32>) -> tensor<32x128xbf16>
  return
}
// -----
func.func @nf4_absmax_codes_without_their_table(%c: tensor<32x64xi8>, %t: tensor<16xf32>, %a: tensor<32x2xi8>) {
  // expected-error@+1 {{'attn.nf4' op takes absmax in f32 alone or in i8 with nested tensors}}
  %w = attn.nf4 %c, %t, %a : (tensor<32x64xi8>, tensor<16xf32>, tensor<32x2xi8>) -> tensor<32x128xbf16>
  return
}
