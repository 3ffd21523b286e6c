// RUN: maskjit-opt %s -attn-fuse-norm=rows=32 | FileCheck %s
// CHECK-LABEL: @many_rows_are_normed_once
func.func @many_rows_are_normed_once(%x: tensor<?x64xf32>, %g: tensor<64xbf16>, %w: tensor<32x64xbf16>) -> tensor<?x32xf32> {
  // CHECK: attn.rms_norm
  %n = attn.rms_norm %x, %g eps 1.0e-05 : (tensor<?x64xf32>, tensor<64xbf16>) -> tensor<?x64xbf16>
  %y = attn.linear %n by (%w) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}
