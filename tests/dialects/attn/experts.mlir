// RUN: maskjit-opt %s -split-input-file -verify-diagnostics | FileCheck %s
// CHECK-LABEL: @with_residual
// CHECK: attn.experts %{{.*}} to({{.*}}) gate_up({{.*}}) down({{.*}}) add({{.*}}) alpha 1.702000e+00 limit 7.000000e+00 class 8
func.func @with_residual(%x: tensor<?x128xbf16>, %e: tensor<?x4xi32>, %s: tensor<?x4xf32>,
    %b1: tensor<8x128x4x16xi8>, %s1: tensor<8x128x4xi8>, %bias1: tensor<8x128xbf16>,
    %b2: tensor<8x128x2x16xi8>, %s2: tensor<8x128x2xi8>, %bias2: tensor<8x128xbf16>,
    %r: tensor<?x128xf32>) -> tensor<?x128xf32> {
  %y = attn.experts %x to (%e, %s) gate_up (%b1, %s1, %bias1) down (%b2, %s2, %bias2) add (%r)
    alpha 1.702 limit 7.0 class 8 : (tensor<?x128xbf16>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<8x128x4x16xi8>,
      tensor<8x128x4xi8>, tensor<8x128xbf16>, tensor<8x128x2x16xi8>, tensor<8x128x2xi8>, tensor<8x128xbf16>,
      tensor<?x128xf32>) -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}
// -----
func.func @rows_differ(%x: tensor<?x128xbf16>, %e: tensor<?x4xi32>, %s: tensor<?x4xf32>,
    %b1: tensor<8x96x4x16xi8>, %s1: tensor<8x96x4xi8>, %bias1: tensor<8x96xbf16>,
    %b2: tensor<8x128x2x16xi8>, %s2: tensor<8x128x2xi8>, %bias2: tensor<8x128xbf16>) -> tensor<?x128xf32> {
  // expected-error@+1 {{'attn.experts' op number of gate and up rows is 128, but gate_up has 96}}
  %y = attn.experts %x to (%e, %s) gate_up (%b1, %s1, %bias1) down (%b2, %s2, %bias2)
    alpha 1.702 limit 7.0 class 8 : (tensor<?x128xbf16>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<8x96x4x16xi8>,
      tensor<8x96x4xi8>, tensor<8x96xbf16>, tensor<8x128x2x16xi8>, tensor<8x128x2xi8>, tensor<8x128xbf16>)
    -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}
// -----
// CHECK-LABEL: @dense
// CHECK: attn.experts %{{.*}} to({{.*}}) gate_up(%arg3, %arg4) down(%arg5, %arg6) alpha
func.func @dense(%x: tensor<?x128xbf16>, %e: tensor<?x4xi32>, %s: tensor<?x4xf32>, %w1: tensor<8x128x192xbf16>,
    %bias1: tensor<8x192xbf16>, %w2: tensor<8x96x128xbf16>, %bias2: tensor<8x128xbf16>) -> tensor<?x128xf32> {
  %y = attn.experts %x to (%e, %s) gate_up (%w1, %bias1) down (%w2, %bias2) alpha 1.702 limit 7.0 class 8
    : (tensor<?x128xbf16>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<8x128x192xbf16>, tensor<8x192xbf16>,
       tensor<8x96x128xbf16>, tensor<8x128xbf16>) -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}
// -----
func.func @dense_of_another_type(%x: tensor<?x128xbf16>, %e: tensor<?x4xi32>, %s: tensor<?x4xf32>,
    %w1: tensor<8x128x192xf16>, %bias1: tensor<8x192xbf16>, %w2: tensor<8x96x128xbf16>, %bias2: tensor<8x128xbf16>)
    -> tensor<?x128xf32> {
  // expected-error@+1 {{'attn.experts' op gate_up has weights [experts, columns, rows] of the input's type, got 'tensor<8x128x192xf16>'}}
  %y = attn.experts %x to (%e, %s) gate_up (%w1, %bias1) down (%w2, %bias2) alpha 1.702 limit 7.0 class 8
    : (tensor<?x128xbf16>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<8x128x192xf16>, tensor<8x192xbf16>,
       tensor<8x96x128xbf16>, tensor<8x128xbf16>) -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}
// -----
func.func @one_packed_one_dense(%x: tensor<?x128xbf16>, %e: tensor<?x4xi32>, %s: tensor<?x4xf32>,
    %w1: tensor<8x128x192xbf16>, %bias1: tensor<8x192xbf16>, %b2: tensor<8x128x3x16xi8>, %s2: tensor<8x128x3xi8>,
    %bias2: tensor<8x128xbf16>) -> tensor<?x128xf32> {
  // expected-error@+1 {{'attn.experts' op has both matrices as blocks, scales and bias, as weights and bias or as those of NF4, got 2 and 3 tensors}}
  %y = attn.experts %x to (%e, %s) gate_up (%w1, %bias1) down (%b2, %s2, %bias2) alpha 1.702 limit 7.0 class 8
    : (tensor<?x128xbf16>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<8x128x192xbf16>, tensor<8x192xbf16>,
       tensor<8x128x3x16xi8>, tensor<8x128x3xi8>, tensor<8x128xbf16>) -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}
// -----
// CHECK-LABEL: @with_adapter
// CHECK: attn.experts {{.*}} lora_gate_up({{.*}}, {{.*}}) lora_down({{.*}}, {{.*}}) alpha
func.func @with_adapter(%x: tensor<?x128xbf16>, %e: tensor<?x4xi32>, %s: tensor<?x4xf32>,
    %b1: tensor<8x128x4x16xi8>, %s1: tensor<8x128x4xi8>, %bias1: tensor<8x128xbf16>,
    %b2: tensor<8x128x2x16xi8>, %s2: tensor<8x128x2xi8>, %bias2: tensor<8x128xbf16>,
    %a1: tensor<8x16x128xbf16>, %c1: tensor<8x128x16xbf16>, %a2: tensor<8x16x64xbf16>) -> tensor<?x128xf32> {
  %y = attn.experts %x to (%e, %s) gate_up (%b1, %s1, %bias1) down (%b2, %s2, %bias2)
    lora_gate_up (%a1, %c1) lora_down (%a2, %c1) alpha 1.702 limit 7.0 class 8 : (tensor<?x128xbf16>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<8x128x4x16xi8>,
      tensor<8x128x4xi8>, tensor<8x128xbf16>, tensor<8x128x2x16xi8>, tensor<8x128x2xi8>, tensor<8x128xbf16>,
      tensor<8x16x128xbf16>, tensor<8x128x16xbf16>, tensor<8x16x64xbf16>, tensor<8x128x16xbf16>) -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}
// -----
func.func @rank_of_an_adapter(%x: tensor<?x128xbf16>, %e: tensor<?x4xi32>, %s: tensor<?x4xf32>,
    %b1: tensor<8x128x4x16xi8>, %s1: tensor<8x128x4xi8>, %bias1: tensor<8x128xbf16>,
    %b2: tensor<8x128x2x16xi8>, %s2: tensor<8x128x2xi8>, %bias2: tensor<8x128xbf16>,
    %a1: tensor<8x8x128xbf16>, %c1: tensor<8x128x8xbf16>) -> tensor<?x128xf32> {
  // expected-error@+1 {{'attn.experts' op lora_gate_up has a rank that is a multiple of 16, got 'tensor<8x8x128xbf16>'; pad it with zeros}}
  %y = attn.experts %x to (%e, %s) gate_up (%b1, %s1, %bias1) down (%b2, %s2, %bias2)
    lora_gate_up (%a1, %c1) alpha 1.702 limit 7.0 class 8 : (tensor<?x128xbf16>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<8x128x4x16xi8>,
      tensor<8x128x4xi8>, tensor<8x128xbf16>, tensor<8x128x2x16xi8>, tensor<8x128x2xi8>, tensor<8x128xbf16>,
      tensor<8x8x128xbf16>, tensor<8x128x8xbf16>) -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}
// -----
func.func @features_of_an_adapter(%x: tensor<?x128xbf16>, %e: tensor<?x4xi32>, %s: tensor<?x4xf32>,
    %b1: tensor<8x128x4x16xi8>, %s1: tensor<8x128x4xi8>, %bias1: tensor<8x128xbf16>,
    %b2: tensor<8x128x2x16xi8>, %s2: tensor<8x128x2xi8>, %bias2: tensor<8x128xbf16>,
    %a2: tensor<8x16x128xbf16>, %c2: tensor<8x128x16xbf16>) -> tensor<?x128xf32> {
  // expected-error@+1 {{'attn.experts' op intermediate size is 64, but lora_down has 128}}
  %y = attn.experts %x to (%e, %s) gate_up (%b1, %s1, %bias1) down (%b2, %s2, %bias2)
    lora_down (%a2, %c2) alpha 1.702 limit 7.0 class 8 : (tensor<?x128xbf16>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<8x128x4x16xi8>,
      tensor<8x128x4xi8>, tensor<8x128xbf16>, tensor<8x128x2x16xi8>, tensor<8x128x2xi8>, tensor<8x128xbf16>,
      tensor<8x16x128xbf16>, tensor<8x128x16xbf16>) -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}
// -----
// CHECK-LABEL: @nf4_with_adapter
// CHECK: attn.experts %{{.*}} to({{.*}}) gate_up(%arg3, %arg4, %arg5, %arg6) down(%arg7, %arg4, %arg8, %arg9) lora_down({{.*}}) alpha
func.func @nf4_with_adapter(%x: tensor<?x128xbf16>, %e: tensor<?x4xi32>, %s: tensor<?x4xf32>,
    %c1: tensor<8x128x64xi8>, %t: tensor<16xf32>, %m1: tensor<8x128x2xf32>, %bias1: tensor<8x128xbf16>,
    %c2: tensor<8x128x32xi8>, %m2: tensor<8x128x1xf32>, %bias2: tensor<8x128xbf16>, %a2: tensor<8x16x64xbf16>,
    %b2: tensor<8x128x16xbf16>) -> tensor<?x128xf32> {
  %y = attn.experts %x to (%e, %s) gate_up (%c1, %t, %m1, %bias1) down (%c2, %t, %m2, %bias2) lora_down (%a2, %b2)
    alpha 1.702 limit 7.0 class 8 : (tensor<?x128xbf16>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<8x128x64xi8>,
      tensor<16xf32>, tensor<8x128x2xf32>, tensor<8x128xbf16>, tensor<8x128x32xi8>, tensor<16xf32>, tensor<8x128x1xf32>,
      tensor<8x128xbf16>, tensor<8x16x64xbf16>, tensor<8x128x16xbf16>) -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}
// -----
func.func @nf4_nested_tensors(%x: tensor<?x128xbf16>, %e: tensor<?x4xi32>, %s: tensor<?x4xf32>,
    %c1: tensor<8x128x64xi8>, %t: tensor<16xf32>, %m1: tensor<8x128x2xi8>, %bias1: tensor<8x128xbf16>,
    %c2: tensor<8x128x32xi8>, %m2: tensor<8x128x1xi8>, %n: tensor<256xf32>, %n1: tensor<8x1xf32>, %n2: tensor<8x2xf32>,
    %o: tensor<8xf32>, %bias2: tensor<8x128xbf16>) -> tensor<?x128xf32> {
  // expected-error@+1 {{'attn.experts' op down takes nested tensors [256], [experts, 1] and [experts], got 'tensor<256xf32>', 'tensor<8x2xf32>' and 'tensor<8xf32>'}}
  %y = attn.experts %x to (%e, %s) gate_up (%c1, %t, %m1, %n, %n1, %o, %bias1) down (%c2, %t, %m2, %n, %n2, %o, %bias2)
    alpha 1.702 limit 7.0 class 8 : (tensor<?x128xbf16>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<8x128x64xi8>,
      tensor<16xf32>, tensor<8x128x2xi8>, tensor<256xf32>, tensor<8x1xf32>, tensor<8xf32>, tensor<8x128xbf16>,
      tensor<8x128x32xi8>, tensor<16xf32>, tensor<8x128x1xi8>, tensor<256xf32>, tensor<8x2xf32>, tensor<8xf32>,
      tensor<8x128xbf16>) -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}
// -----
func.func @nf4_absmax_of_another_type(%x: tensor<?x128xbf16>, %e: tensor<?x4xi32>, %s: tensor<?x4xf32>,
    %c1: tensor<8x128x64xi8>, %t: tensor<16xf32>, %m1: tensor<8x128x2xi8>, %bias1: tensor<8x128xbf16>,
    %c2: tensor<8x128x32xi8>, %m2: tensor<8x128x1xf32>, %bias2: tensor<8x128xbf16>) -> tensor<?x128xf32> {
  // expected-error@+1 {{'attn.experts' op gate_up in NF4 is codes [experts, rows, columns / 2] of i8 and absmax [experts, rows, columns / 64] of f32, of i8 with nested tensors; got 'tensor<8x128x64xi8>' and 'tensor<8x128x2xi8>'}}
  %y = attn.experts %x to (%e, %s) gate_up (%c1, %t, %m1, %bias1) down (%c2, %t, %m2, %bias2)
    alpha 1.702 limit 7.0 class 8 : (tensor<?x128xbf16>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<8x128x64xi8>,
      tensor<16xf32>, tensor<8x128x2xi8>, tensor<8x128xbf16>, tensor<8x128x32xi8>, tensor<16xf32>, tensor<8x128x1xf32>,
      tensor<8x128xbf16>) -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}
