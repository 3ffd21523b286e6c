// RUN: maskjit-opt %s -attn-fuse-rope | FileCheck %s
// CHECK-LABEL: @one_of_two_results
func.func @one_of_two_results(%n: tensor<?x64xbf16>, %w: tensor<32x64xbf16>, %p: tensor<?xi32>, %f: tensor<8xf32>) -> (tensor<?x32xbf16>, tensor<?x32xbf16>) {
  // CHECK: %[[Y:.+]]:2 = attn.linear %arg0 by(%arg1, %arg1) rope(%arg2, %arg3) scale 1.500000e+00 head 16 of [true, false]
  %y:2 = attn.linear %n by (%w, %w) : (tensor<?x64xbf16>, tensor<32x64xbf16>, tensor<32x64xbf16>) -> (tensor<?x32xbf16>, tensor<?x32xbf16>)
  // CHECK-NOT: attn.rope
  %r = attn.rope %y#0 (%p, %f) scale 1.5 head 16 : tensor<?x32xbf16>, tensor<?xi32>, tensor<8xf32>
  // CHECK: return %[[Y]]#0, %[[Y]]#1
  return %r, %y#1 : tensor<?x32xbf16>, tensor<?x32xbf16>
}
// CHECK-LABEL: @both_forms_are_read
func.func @both_forms_are_read(%n: tensor<?x64xbf16>, %w: tensor<32x64xbf16>, %p: tensor<?xi32>, %f: tensor<8xf32>) -> (tensor<?x32xbf16>, tensor<?x32xbf16>) {
  %y = attn.linear %n by (%w) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  // CHECK: attn.rope
  %r = attn.rope %y (%p, %f) scale 1.5 head 16 : tensor<?x32xbf16>, tensor<?xi32>, tensor<8xf32>
  return %r, %y : tensor<?x32xbf16>, tensor<?x32xbf16>
}
// CHECK-LABEL: @other_angles_stay
func.func @other_angles_stay(%n: tensor<?x64xbf16>, %w: tensor<32x64xbf16>, %p: tensor<?xi32>, %p2: tensor<?xi32>, %f: tensor<8xf32>) -> (tensor<?x32xbf16>, tensor<?x32xbf16>) {
  %y:2 = attn.linear %n by (%w, %w) : (tensor<?x64xbf16>, tensor<32x64xbf16>, tensor<32x64xbf16>) -> (tensor<?x32xbf16>, tensor<?x32xbf16>)
  %r = attn.rope %y#0 (%p, %f) scale 1.5 head 16 : tensor<?x32xbf16>, tensor<?xi32>, tensor<8xf32>
  // CHECK: attn.rope %{{.+}}#1(%arg3, %arg4)
  %s = attn.rope %y#1 (%p2, %f) scale 1.5 head 16 : tensor<?x32xbf16>, tensor<?xi32>, tensor<8xf32>
  return %r, %s : tensor<?x32xbf16>, tensor<?x32xbf16>
}
