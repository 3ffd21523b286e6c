// RUN: maskjit-opt %s -mask-derive-keys -canonicalize -cse | FileCheck %s

mask.func @window(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "w", axis = none, min = 1, max = 4096, isStatic = false, isSorted = false, isFloat = false>]} {
  %w = mask.param "w" : index
  %zero = mask.constant 0 : index
  %d = mask.sub %q, %k
  %lower = mask.cmp le, %zero, %d
  %upper = mask.cmp lt, %d, %w
  %m = mask.and %lower, %upper
  mask.return %m : i1
}

// Every key that a query of [q0, q1) attends: [q0 - w + 1, q1).
// CHECK-LABEL: mask.func @window.keys(
// CHECK-SAME: %[[Q0:arg2]]: index, %[[Q1:arg3]]: index) -> (index, index)
// CHECK-DAG: %[[ONE:.+]] = mask.constant 1 : index
// CHECK-DAG: %[[W:.+]] = mask.param "w"
// CHECK: %[[DIFFERENCE:.+]] = mask.sub %[[Q0]], %[[W]]
// CHECK: %[[BEGIN:.+]] = mask.add %[[DIFFERENCE]], %[[ONE]]
// CHECK: mask.return %[[BEGIN]], %[[Q1]] : index, index

// The keys that all of them attend: [q1 - w, q0 + 1).
// CHECK-LABEL: mask.func @window.full_keys(
// CHECK-SAME: %[[Q0:arg2]]: index, %[[Q1:arg3]]: index) -> (index, index)
// CHECK-DAG: %[[W:.+]] = mask.param "w"
// CHECK-DAG: %[[ONE:.+]] = mask.constant 1 : index
// CHECK-DAG: %[[BEGIN:.+]] = mask.sub %[[Q1]], %[[W]]
// CHECK-DAG: %[[END:.+]] = mask.add %[[Q0]], %[[ONE]]
// CHECK: mask.return %[[BEGIN]], %[[END]] : index, index

// The keys of one query: [q - w + 1, q + 1).
// CHECK-LABEL: mask.func @window.row(
// CHECK-SAME: %[[Q:arg2]]: index) -> (index, index)
// CHECK-DAG: %[[ONE:.+]] = mask.constant 1 : index
// CHECK-DAG: %[[W:.+]] = mask.param "w"
// CHECK-DAG: %[[DIFFERENCE:.+]] = mask.sub %[[Q]], %[[W]]
// CHECK-DAG: %[[BEGIN:.+]] = mask.add %[[DIFFERENCE]], %[[ONE]]
// CHECK-DAG: %[[END:.+]] = mask.add %[[Q]], %[[ONE]]
// CHECK: mask.return %[[BEGIN]], %[[END]] : index, index
