// RUN: maskjit-opt %s -mask-simplify | FileCheck %s

// q + offset >= 0 for every offset of [0, 100].
// CHECK-LABEL: mask.func @always(
// CHECK: %[[TRUE:.+]] = mask.constant true
// CHECK: mask.return %[[TRUE]]
mask.func @always(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "offset", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>]} {
  %o = mask.param "offset" : index
  %zero = mask.constant 0 : index
  %p = mask.add %q, %o
  %m = mask.cmp ge, %p, %zero
  mask.return %m : i1
}

// (q + offset) - q < 0 never: equal terms cancel.
// CHECK-LABEL: mask.func @never(
// CHECK: %[[FALSE:.+]] = mask.constant false
// CHECK: mask.return %[[FALSE]]
mask.func @never(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "offset", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>]} {
  %o = mask.param "offset" : index
  %p = mask.add %q, %o
  %m = mask.cmp lt, %p, %q
  mask.return %m : i1
}

// q + offset >= 1 is false for q = 0 and offset 0.
// CHECK-LABEL: mask.func @depends(
// CHECK: mask.cmp ge
mask.func @depends(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "offset", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>]} {
  %o = mask.param "offset" : index
  %one = mask.constant 1 : index
  %p = mask.add %q, %o
  %m = mask.cmp ge, %p, %one
  mask.return %m : i1
}
