// RUN: maskjit-opt %s -split-input-file -verify-diagnostics -attn-choose-schedule=arch=sm_75 | FileCheck %s
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %t = mask.constant true
  mask.return %t : i1
}
// CHECK-LABEL: @fp16_is_served
func.func @fp16_is_served(%q: tensor<?x4x?x64xf16>) {
  // CHECK: family = "Sm75"
  %a, %l = attn.forward @m scale 0.125 (%q, %q, %q) : (tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>) -> tensor<?x4x?xf32>
  return
}
// -----
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %t = mask.constant true
  mask.return %t : i1
}
func.func @bf16_is_refused_with_the_way_out(%q: tensor<?x4x?x64xbf16>) {
  // expected-error@+1 {{sm_75 has no bf16 tensor cores; convert q, k and v to fp16}}
  %a, %l = attn.forward @m scale 0.125 (%q, %q, %q) : (tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>) -> tensor<?x4x?xf32>
  return
}
