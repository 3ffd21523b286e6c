// RUN: maskjit-opt %s -attn-fuse-residual | FileCheck %s
// CHECK-LABEL: @into_the_product
func.func @into_the_product(%x: tensor<?x32xf32>, %a: tensor<?x64xbf16>, %w: tensor<32x64xbf16>) -> tensor<?x32xf32> {
  %y = attn.linear %a by (%w) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  // CHECK: attn.linear %arg1 by(%arg2) add(%arg0) : {{.*}} -> tensor<?x32xf32>
  // CHECK-NOT: attn.add
  %x1 = attn.add %x, %y : tensor<?x32xf32>, tensor<?x32xbf16>
  return %x1 : tensor<?x32xf32>
}
// CHECK-LABEL: @another_reader_keeps_it
func.func @another_reader_keeps_it(%x: tensor<?x32xf32>, %a: tensor<?x64xbf16>, %w: tensor<32x64xbf16>) -> (tensor<?x32xf32>, tensor<?x32xbf16>) {
  %y = attn.linear %a by (%w) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  // CHECK: attn.add
  %x1 = attn.add %x, %y : tensor<?x32xf32>, tensor<?x32xbf16>
  return %x1, %y : tensor<?x32xf32>, tensor<?x32xbf16>
}
