// RUN: maskjit-opt %s -mask-derive-tile-class -canonicalize | FileCheck %s

// An array that says nothing leaves `any` to the other part and makes no tile full.
// CHECK-LABEL: mask.func @partly.classify(
// CHECK-DAG: %[[ANY:.+]] = mask.cmp gt, %arg3, %arg4
// CHECK-DAG: %[[ALL:.+]] = mask.constant false
// CHECK: mask.return %[[ANY]], %[[ALL]] : i1, i1
mask.func @partly(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "keep", axis = k, min = 0, max = 1, isStatic = false, isSorted = false, isFloat = false>]} {
  %kept = mask.load "keep"[%k] : index
  %one = mask.constant 1 : index
  %is = mask.cmp eq, %kept, %one
  %causal = mask.cmp le, %k, %q
  %m = mask.and %causal, %is
  mask.return %m : i1
}
