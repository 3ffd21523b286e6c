// RUN: maskjit-opt %s -mask-derive-keys -canonicalize | FileCheck %s

// k <= q or k < prefix: a union whose rows are intervals, [0, max(q + 1, prefix)).
// CHECK-LABEL: mask.func @prefix.row(
// CHECK-DAG: %[[ZERO:.+]] = mask.constant 0
// CHECK-DAG: %[[PREFIX:.+]] = mask.param "prefix"
// CHECK-DAG: %[[NEXT:.+]] = mask.add %arg2
// CHECK: %[[END:.+]] = mask.max %{{.+}}, %{{.+}}
// CHECK: mask.return %[[ZERO]], %[[END]] : index, index
mask.func @prefix(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "prefix", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>]} {
  %p = mask.param "prefix" : index
  %causal = mask.cmp le, %k, %q
  %inside = mask.cmp lt, %k, %p
  %m = mask.or %causal, %inside
  mask.return %m : i1
}
