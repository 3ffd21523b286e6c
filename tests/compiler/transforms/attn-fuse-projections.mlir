// RUN: maskjit-opt %s -attn-fuse-projections | FileCheck %s
// CHECK-LABEL: @same_rows
func.func @same_rows(%n: tensor<?x64xbf16>, %a: tensor<32x64xbf16>, %b: tensor<16x64xbf16>, %ba: tensor<32xbf16>, %bb: tensor<16xbf16>) -> (tensor<?x32xbf16>, tensor<?x16xbf16>) {
  // CHECK: %[[Y:.+]]:2 = attn.linear %arg0 by(%arg1, %arg2) bias(%arg3, %arg4)
  %0 = attn.linear %n by (%a) bias (%ba) : (tensor<?x64xbf16>, tensor<32x64xbf16>, tensor<32xbf16>) -> tensor<?x32xbf16>
  %1 = attn.linear %n by (%b) bias (%bb) : (tensor<?x64xbf16>, tensor<16x64xbf16>, tensor<16xbf16>) -> tensor<?x16xbf16>
  // CHECK: return %[[Y]]#0, %[[Y]]#1
  return %0, %1 : tensor<?x32xbf16>, tensor<?x16xbf16>
}
// CHECK-LABEL: @other_rows_stay_apart
func.func @other_rows_stay_apart(%n: tensor<?x64xbf16>, %m: tensor<?x64xbf16>, %a: tensor<32x64xbf16>) -> (tensor<?x32xbf16>, tensor<?x32xbf16>) {
  // CHECK-COUNT-2: attn.linear {{.*}} -> tensor<?x32xbf16>
  %0 = attn.linear %n by (%a) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  %1 = attn.linear %m by (%a) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  return %0, %1 : tensor<?x32xbf16>, tensor<?x32xbf16>
}
// CHECK-LABEL: @needed_before_the_other_stays_apart
func.func @needed_before_the_other_stays_apart(%n: tensor<?x64xbf16>, %a: tensor<64x64xbf16>, %r: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<?x64xbf16>) {
  // CHECK: attn.linear
  %0 = attn.linear %n by (%a) : (tensor<?x64xbf16>, tensor<64x64xbf16>) -> tensor<?x64xbf16>
  // CHECK: attn.add
  %1 = attn.add %r, %0 : tensor<?x64xf32>, tensor<?x64xbf16>
  // CHECK: attn.linear
  %2 = attn.linear %n by (%a) : (tensor<?x64xbf16>, tensor<64x64xbf16>) -> tensor<?x64xbf16>
  return %1, %2 : tensor<?x64xf32>, tensor<?x64xbf16>
}
// CHECK-LABEL: @adapter_of_one
func.func @adapter_of_one(%n: tensor<?x64xbf16>, %w: tensor<32x64xbf16>, %a: tensor<16x64xbf16>, %b: tensor<32x16xbf16>) -> (tensor<?x32xbf16>, tensor<?x32xbf16>) {
  // CHECK: attn.linear %arg0 by(%arg1, %arg1) lora(%arg2) (%arg3) of [false, true]
  %0 = attn.linear %n by (%w) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  %1 = attn.linear %n by (%w) lora (%a) (%b) of [true] : (tensor<?x64xbf16>, tensor<32x64xbf16>, tensor<16x64xbf16>, tensor<32x16xbf16>) -> tensor<?x32xbf16>
  return %0, %1 : tensor<?x32xbf16>, tensor<?x32xbf16>
}
// CHECK-LABEL: @adapters_of_two_ranks_stay_apart
func.func @adapters_of_two_ranks_stay_apart(%n: tensor<?x64xbf16>, %w: tensor<32x64xbf16>, %a: tensor<16x64xbf16>, %b: tensor<32x16xbf16>, %c: tensor<32x64xbf16>, %d: tensor<32x32xbf16>) -> (tensor<?x32xbf16>, tensor<?x32xbf16>) {
  // CHECK-COUNT-2: attn.linear {{.*}} of [true]
  %0 = attn.linear %n by (%w) lora (%a) (%b) of [true] : (tensor<?x64xbf16>, tensor<32x64xbf16>, tensor<16x64xbf16>, tensor<32x16xbf16>) -> tensor<?x32xbf16>
  %1 = attn.linear %n by (%w) lora (%c) (%d) of [true] : (tensor<?x64xbf16>, tensor<32x64xbf16>, tensor<32x64xbf16>, tensor<32x32xbf16>) -> tensor<?x32xbf16>
  return %0, %1 : tensor<?x32xbf16>, tensor<?x32xbf16>
}
// CHECK-LABEL: @nf4_with_nf4_alone
func.func @nf4_with_nf4_alone(%x: tensor<?x128xbf16>, %c: tensor<32x64xi8>, %t: tensor<16xf32>, %a: tensor<32x2xf32>, %d: tensor<32x128xbf16>) -> (tensor<?x32xbf16>, tensor<?x32xbf16>, tensor<?x32xbf16>) {
  // CHECK: %[[Q:.+]] = attn.nf4
  // CHECK: %[[K:.+]] = attn.linear %{{.+}} by(%arg4)
  // CHECK: %[[V:.+]] = attn.nf4
  // CHECK: attn.linear %{{.+}} by(%[[Q]], %[[V]])
  %wq = attn.nf4 %c, %t, %a : (tensor<32x64xi8>, tensor<16xf32>, tensor<32x2xf32>) -> tensor<32x128xbf16>
  %q = attn.linear %x by (%wq) : (tensor<?x128xbf16>, tensor<32x128xbf16>) -> tensor<?x32xbf16>
  %k = attn.linear %x by (%d) : (tensor<?x128xbf16>, tensor<32x128xbf16>) -> tensor<?x32xbf16>
  %wv = attn.nf4 %c, %t, %a : (tensor<32x64xi8>, tensor<16xf32>, tensor<32x2xf32>) -> tensor<32x128xbf16>
  %v = attn.linear %x by (%wv) : (tensor<?x128xbf16>, tensor<32x128xbf16>) -> tensor<?x32xbf16>
  return %q, %k, %v : tensor<?x32xbf16>, tensor<?x32xbf16>, tensor<?x32xbf16>
}
