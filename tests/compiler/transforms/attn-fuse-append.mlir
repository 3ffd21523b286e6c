// RUN: maskjit-opt %s -attn-fuse-append | FileCheck %s
// CHECK-LABEL: @keys_and_values_of_one_product
func.func @keys_and_values_of_one_product(%n: tensor<?x64xbf16>, %w: tensor<32x64xbf16>, %p: tensor<?xi32>, %f: tensor<8xf32>, %kp: tensor<?x2x16x16xbf16>, %t: tensor<?x?xi32>) -> (tensor<?x32xbf16>, tensor<?x2x16x16xbf16>, tensor<?x2x16x16xbf16>) {
  // CHECK: %[[Y:.+]]:3 = attn.linear %arg0 by(%arg1, %arg1, %arg1) rope(%arg2, %arg3) scale 1.000000e+00 head 16 of [true, true, false] append(%arg4, %arg4, %arg5)
  %y:3 = attn.linear %n by (%w, %w, %w) rope (%p, %f) scale 1.0 head 16 of [true, true, false] : (tensor<?x64xbf16>, tensor<32x64xbf16>, tensor<32x64xbf16>, tensor<32x64xbf16>, tensor<?xi32>, tensor<8xf32>) -> (tensor<?x32xbf16>, tensor<?x32xbf16>, tensor<?x32xbf16>)
  // CHECK-NOT: attn.append_kv
  %k, %v = attn.append_kv %y#1, %y#2 to (%kp, %kp) pages (%t, %p) : (tensor<?x32xbf16>, tensor<?x32xbf16>) to (tensor<?x2x16x16xbf16>, tensor<?x2x16x16xbf16>) pages (tensor<?x?xi32>, tensor<?xi32>)
  // CHECK: return %[[Y]]#0, %[[Y]]#1, %[[Y]]#2
  return %y#0, %k, %v : tensor<?x32xbf16>, tensor<?x2x16x16xbf16>, tensor<?x2x16x16xbf16>
}
// CHECK-LABEL: @values_of_another_product
func.func @values_of_another_product(%n: tensor<?x64xbf16>, %w: tensor<32x64xbf16>, %p: tensor<?xi32>, %f: tensor<8xf32>, %kp: tensor<?x2x16x16xbf16>, %t: tensor<?x?xi32>) -> tensor<?x2x16x16xbf16> {
  %k = attn.linear %n by (%w) rope (%p, %f) scale 1.0 head 16 of [true] : (tensor<?x64xbf16>, tensor<32x64xbf16>, tensor<?xi32>, tensor<8xf32>) -> tensor<?x32xbf16>
  %v = attn.linear %n by (%w) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  // CHECK: attn.append_kv
  %k1, %v1 = attn.append_kv %k, %v to (%kp, %kp) pages (%t, %p) : (tensor<?x32xbf16>, tensor<?x32xbf16>) to (tensor<?x2x16x16xbf16>, tensor<?x2x16x16xbf16>) pages (tensor<?x?xi32>, tensor<?xi32>)
  return %k1 : tensor<?x2x16x16xbf16>
}
