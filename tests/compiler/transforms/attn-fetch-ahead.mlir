// RUN: maskjit-opt %s -attn-fetch-ahead | FileCheck %s
// CHECK-LABEL: @the_next_product
func.func @the_next_product(%x: tensor<?x64xf32>, %g: tensor<4x64xbf16>, %b: tensor<4xbf16>, %p: tensor<?xi32>, %n: tensor<?x64xbf16>, %w: tensor<32x64xbf16>, %v: tensor<16x64xbf16>) -> (tensor<?x32xbf16>, tensor<?x16xbf16>) {
  // CHECK: attn.route %{{.+}} by(%{{.+}}, %{{.+}}) top 2 at(%{{.+}}) ahead(%arg5, %arg6)
  %e, %s = attn.route %x by (%g, %b) top 2 at (%p) : (tensor<?x64xf32>, tensor<4x64xbf16>, tensor<4xbf16>, tensor<?xi32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %y:2 = attn.linear %n by (%w, %v) : (tensor<?x64xbf16>, tensor<32x64xbf16>, tensor<16x64xbf16>) -> (tensor<?x32xbf16>, tensor<?x16xbf16>)
  return %y#0, %y#1 : tensor<?x32xbf16>, tensor<?x16xbf16>
}
// CHECK-LABEL: @more_than_a_cache_holds
func.func @more_than_a_cache_holds(%x: tensor<?x64xf32>, %g: tensor<4x64xbf16>, %b: tensor<4xbf16>, %p: tensor<?xi32>, %n: tensor<?x2880xbf16>, %w: tensor<201088x2880xbf16>) -> tensor<?x201088xf32> {
  // CHECK-NOT: ahead
  %e, %s = attn.route %x by (%g, %b) top 2 at (%p) : (tensor<?x64xf32>, tensor<4x64xbf16>, tensor<4xbf16>, tensor<?xi32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %y = attn.linear %n by (%w) : (tensor<?x2880xbf16>, tensor<201088x2880xbf16>) -> tensor<?x201088xf32>
  return %y : tensor<?x201088xf32>
}
// CHECK-LABEL: @no_product_behind
func.func @no_product_behind(%x: tensor<?x64xf32>, %g: tensor<4x64xbf16>, %b: tensor<4xbf16>, %p: tensor<?xi32>) -> tensor<?x2xi32> {
  // CHECK-NOT: ahead
  %e, %s = attn.route %x by (%g, %b) top 2 at (%p) : (tensor<?x64xf32>, tensor<4x64xbf16>, tensor<4xbf16>, tensor<?xi32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return %e : tensor<?x2xi32>
}
