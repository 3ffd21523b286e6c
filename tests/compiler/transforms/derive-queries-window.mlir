// RUN: maskjit-opt %s -mask-derive-queries -canonicalize | FileCheck %s

mask.func @window(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "window", axis = none, min = 1, max = 128, isStatic = false, isSorted = false, isFloat = false>]} {
  %w = mask.param "window" : index
  %zero = mask.constant 0 : index
  %d = mask.sub %q, %k
  %lower = mask.cmp le, %zero, %d
  %upper = mask.cmp lt, %d, %w
  %m = mask.and %lower, %upper
  mask.return %m : i1
}

// The queries that attend a key of [k0, k1): [k0, k1 + w - 1).
// CHECK-LABEL: mask.func @window.queries(
// CHECK: %[[SUM:.+]] = mask.add %arg3, %{{.+}}
// CHECK: %[[END:.+]] = mask.sub %[[SUM]], %{{.+}}
// CHECK: mask.return %arg2, %[[END]] : index, index

// Those that attend all of them: [k1 - 1, k0 + w).
// CHECK-LABEL: mask.func @window.full_queries(
// CHECK-DAG: %[[BEGIN:.+]] = mask.sub %arg3, %{{.+}}
// CHECK-DAG: %[[END:.+]] = mask.add %arg2, %{{.+}}
// CHECK: mask.return %[[BEGIN]], %[[END]] : index, index

// Those that attend one key: [k, k + w).
// CHECK-LABEL: mask.func @window.column(
// CHECK: %[[END:.+]] = mask.add %arg2, %{{.+}}
// CHECK: mask.return %arg2, %[[END]] : index, index
