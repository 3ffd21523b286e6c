// RUN: maskjit-opt %s | maskjit-opt | FileCheck %s
// CHECK-LABEL: @plain
func.func @plain(%tokens: tensor<?xi32>, %written: tensor<?xi32>, %active: tensor<?xi32>, %w: tensor<64x64xbf16>, %g: tensor<64xbf16>, %kp: tensor<?x4x16x16xbf16>, %t: tensor<?x?xi32>, %ids: tensor<?xi64>) {
  // CHECK: attn.input "embedding" : tensor<100x64xbf16>
  %table = attn.input "embedding" : tensor<100x64xbf16>
  %f = attn.input "frequencies" : tensor<8xf32>
  // CHECK: attn.embed %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} :
  %x, %p, %n = attn.embed %tokens, %table, %written, %active : (tensor<?xi32>, tensor<100x64xbf16>, tensor<?xi32>, tensor<?xi32>) -> (tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>)
  // CHECK: attn.rms_norm %{{.+}}, %{{.+}} eps 9.99999974E-6 :
  %h = attn.rms_norm %x, %g eps 1.0e-05 : (tensor<?x64xf32>, tensor<64xbf16>) -> tensor<?x64xbf16>
  // CHECK: attn.linear %{{.+}} by(%{{.+}}) bias(%{{.+}}) :
  %q = attn.linear %h by (%w) bias (%g) : (tensor<?x64xbf16>, tensor<64x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  // CHECK: attn.rope %{{.+}}(%{{.+}}, %{{.+}}) scale 1.500000e+00 head 16 :
  %r = attn.rope %q (%p, %f) scale 1.5 head 16 : tensor<?x64xbf16>, tensor<?xi32>, tensor<8xf32>
  // CHECK: attn.append_kv %{{.+}}, %{{.+}} to(%{{.+}}, %{{.+}}) pages(%{{.+}}, %{{.+}}) :
  %k1, %v1 = attn.append_kv %r, %q to (%kp, %kp) pages (%t, %p) : (tensor<?x64xbf16>, tensor<?x64xbf16>) to (tensor<?x4x16x16xbf16>, tensor<?x4x16x16xbf16>) pages (tensor<?x?xi32>, tensor<?xi32>)
  // CHECK: attn.reshape %{{.+}} : tensor<?x64xbf16> -> tensor<?x4x1x16xbf16>
  %q4 = attn.reshape %r : tensor<?x64xbf16> -> tensor<?x4x1x16xbf16>
  // CHECK: attn.add %{{.+}}, %{{.+}} :
  %x1 = attn.add %x, %q : tensor<?x64xf32>, tensor<?x64xbf16>
  // CHECK: attn.route %{{.+}} by(%{{.+}}, %{{.+}}) top 4 at(%{{.+}}) :
  %e, %s = attn.route %x1 by (%w, %g) top 4 at (%p) : (tensor<?x64xf32>, tensor<64x64xbf16>, tensor<64xbf16>, tensor<?xi32>) -> (tensor<?x4xi32>, tensor<?x4xf32>)
  // CHECK: attn.sample %{{.+}} at(%{{.+}}, %{{.+}}) into(%{{.+}}, %{{.+}}) :
  %t1, %n1, %d, %lp = attn.sample %x1 at (%p, %ids) into (%tokens, %written) : (tensor<?x64xf32>, tensor<?xi32>, tensor<?xi64>, tensor<?xi32>, tensor<?xi32>) -> (tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xf32>)
  return
}
// CHECK-LABEL: @fused
func.func @fused(%x: tensor<?x64xf32>, %w: tensor<64x64xbf16>, %g: tensor<64xbf16>, %p: tensor<?xi32>, %f: tensor<8xf32>, %kp: tensor<?x4x16x16xbf16>, %t: tensor<?x?xi32>, %ids: tensor<?xi64>, %seen: tensor<?x64xi8>, %a: tensor<16x64xbf16>, %b: tensor<64x16xbf16>) {
  // CHECK: attn.linear %{{.+}} norm(%{{.+}}) eps 9.99999974E-6 by(%{{.+}}, %{{.+}}, %{{.+}}) bias(%{{.+}}, %{{.+}}, %{{.+}}) rope(%{{.+}}, %{{.+}}) scale 1.500000e+00 head 16 of [true, true, false] append(%{{.+}}, %{{.+}}, %{{.+}}) :
  %q, %k1, %v1 = attn.linear %x norm (%g) eps 1.0e-05 by (%w, %w, %w) bias (%g, %g, %g) rope (%p, %f) scale 1.5 head 16 of [true, true, false] append (%kp, %kp, %t)
    : (tensor<?x64xf32>, tensor<64xbf16>, tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64xbf16>, tensor<64xbf16>, tensor<64xbf16>, tensor<?xi32>, tensor<8xf32>, tensor<?x4x16x16xbf16>, tensor<?x4x16x16xbf16>, tensor<?x?xi32>) -> (tensor<?x64xbf16>, tensor<?x4x16x16xbf16>, tensor<?x4x16x16xbf16>)
  // CHECK: attn.linear %{{.+}} by(%{{.+}}) add(%{{.+}}) :
  %x1 = attn.linear %q by (%w) add (%x) : (tensor<?x64xbf16>, tensor<64x64xbf16>, tensor<?x64xf32>) -> tensor<?x64xf32>
  // CHECK: attn.linear %{{.+}} by(%{{.+}}, %{{.+}}) lora(%{{.+}}) (%{{.+}}) of [false, true] bias(%{{.+}}, %{{.+}}) :
  %y:2 = attn.linear %q by (%w, %w) lora (%a) (%b) of [false, true] bias (%g, %g) : (tensor<?x64xbf16>, tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64xbf16>, tensor<64xbf16>, tensor<16x64xbf16>, tensor<64x16xbf16>) -> (tensor<?x64xbf16>, tensor<?x64xbf16>)
  // CHECK: attn.route %{{.+}} norm(%{{.+}}) eps 9.99999974E-6 by(%{{.+}}, %{{.+}}) top 4 at(%{{.+}}) :
  %e, %s, %n = attn.route %x1 norm (%g) eps 1.0e-05 by (%w, %g) top 4 at (%p) : (tensor<?x64xf32>, tensor<64xbf16>, tensor<64x64xbf16>, tensor<64xbf16>, tensor<?xi32>) -> (tensor<?x4xi32>, tensor<?x4xf32>, tensor<?x64xbf16>)
  // CHECK: attn.sample %{{.+}} at(%{{.+}}, %{{.+}}) into(%{{.+}}, %{{.+}}) seen(%{{.+}}) :
  %t1, %n1, %d, %lp = attn.sample %x1 at (%p, %ids) into (%p, %p) seen (%seen) : (tensor<?x64xf32>, tensor<?xi32>, tensor<?xi64>, tensor<?xi32>, tensor<?xi32>, tensor<?x64xi8>) -> (tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xf32>)
  return
}
// CHECK-LABEL: @nf4
func.func @nf4(%x: tensor<?x128xbf16>, %c: tensor<32x64xi8>, %t: tensor<16xf32>, %a: tensor<32x2xf32>, %b: tensor<32x2xi8>, %n: tensor<256xf32>, %m: tensor<1xf32>) -> (tensor<?x32xbf16>, tensor<?x32xbf16>) {
  // CHECK: attn.nf4 %{{.+}}, %{{.+}}, %{{.+}} : (tensor<32x64xi8>, tensor<16xf32>, tensor<32x2xf32>) -> tensor<32x128xbf16>
  %w = attn.nf4 %c, %t, %a : (tensor<32x64xi8>, tensor<16xf32>, tensor<32x2xf32>) -> tensor<32x128xbf16>
  // CHECK: attn.nf4 %{{.+}}, %{{.+}}, %{{.+}} nested(%{{.+}}, %{{.+}}, %{{.+}}) :
  %v = attn.nf4 %c, %t, %b nested (%n, %m, %m) : (tensor<32x64xi8>, tensor<16xf32>, tensor<32x2xi8>, tensor<256xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<32x128xbf16>
  %y = attn.linear %x by (%w) : (tensor<?x128xbf16>, tensor<32x128xbf16>) -> tensor<?x32xbf16>
  %z = attn.linear %x by (%v) : (tensor<?x128xbf16>, tensor<32x128xbf16>) -> tensor<?x32xbf16>
  return %y, %z : tensor<?x32xbf16>, tensor<?x32xbf16>
}
