// RUN: maskjit-opt %s -attn-fuse-norm | FileCheck %s
// CHECK-LABEL: @into_a_product
func.func @into_a_product(%x: tensor<?x64xf32>, %g: tensor<64xbf16>, %w: tensor<32x64xbf16>) -> tensor<?x32xf32> {
  // CHECK-NOT: attn.rms_norm
  %n = attn.rms_norm %x, %g eps 1.0e-05 : (tensor<?x64xf32>, tensor<64xbf16>) -> tensor<?x64xbf16>
  // CHECK: attn.linear %arg0 norm(%arg1) eps 9.99999974E-6 by(%arg2)
  %y = attn.linear %n by (%w) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}
// CHECK-LABEL: @into_routing_with_the_experts_rows
func.func @into_routing_with_the_experts_rows(%x: tensor<?x64xf32>, %g: tensor<64xbf16>, %w: tensor<4x64xbf16>, %b: tensor<4xbf16>, %p: tensor<?xi32>) -> (tensor<?x2xi32>, tensor<?x2xf32>, tensor<?x64xbf16>) {
  // CHECK-NOT: attn.rms_norm
  %wide = attn.rms_norm %x, %g eps 1.0e-05 : (tensor<?x64xf32>, tensor<64xbf16>) -> tensor<?x64xf32>
  %n = attn.rms_norm %x, %g eps 1.0e-05 : (tensor<?x64xf32>, tensor<64xbf16>) -> tensor<?x64xbf16>
  // CHECK: %[[E:.+]], %[[S:.+]], %[[N:.+]] = attn.route %arg0 norm(%arg1) eps 9.99999974E-6 by(%arg2, %arg3) top 2 at(%arg4)
  %e, %s = attn.route %wide by (%w, %b) top 2 at (%p) : (tensor<?x64xf32>, tensor<4x64xbf16>, tensor<4xbf16>, tensor<?xi32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // CHECK: return %[[E]], %[[S]], %[[N]]
  return %e, %s, %n : tensor<?x2xi32>, tensor<?x2xf32>, tensor<?x64xbf16>
}
// CHECK-LABEL: @fp16_keeps_its_bounds
func.func @fp16_keeps_its_bounds(%x: tensor<?x64xf32>, %g: tensor<64xf16>, %w: tensor<32x64xf16>) -> tensor<?x32xf32> {
  // CHECK: attn.rms_norm
  %n = attn.rms_norm %x, %g eps 1.0e-05 : (tensor<?x64xf32>, tensor<64xf16>) -> tensor<?x64xf16>
  // CHECK: attn.linear %{{.+}} by(%arg2)
  %y = attn.linear %n by (%w) : (tensor<?x64xf16>, tensor<32x64xf16>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}
// CHECK-LABEL: @another_reader_keeps_it
func.func @another_reader_keeps_it(%x: tensor<?x64xf32>, %g: tensor<64xbf16>, %w: tensor<32x64xbf16>) -> (tensor<?x32xf32>, tensor<?x64xbf16>) {
  // CHECK: attn.rms_norm
  %n = attn.rms_norm %x, %g eps 1.0e-05 : (tensor<?x64xf32>, tensor<64xbf16>) -> tensor<?x64xbf16>
  %y = attn.linear %n by (%w) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xf32>
  return %y, %n : tensor<?x32xf32>, tensor<?x64xbf16>
}
