// RUN: maskjit-opt %s -mask-simplify | FileCheck %s

// min(w, n) with w of [1, 128] and n of [200, 300] is w.
// CHECK-LABEL: mask.func @apart(
// CHECK: %[[W:.+]] = mask.param "window"
// CHECK: mask.cmp lt, %arg3, %[[W]]
mask.func @apart(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "window", axis = none, min = 1, max = 128, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "n", axis = none, min = 200, max = 300, isStatic = false, isSorted = false, isFloat = false>]} {
  %w = mask.param "window" : index
  %n = mask.param "n" : index
  %least = mask.min %w, %n
  %m = mask.cmp lt, %k, %least
  mask.return %m : i1
}

// Ranges that overlap decide nothing.
// CHECK-LABEL: mask.func @overlapping(
// CHECK: mask.max
mask.func @overlapping(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "window", axis = none, min = 1, max = 128, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "n", axis = none, min = 100, max = 300, isStatic = false, isSorted = false, isFloat = false>]} {
  %w = mask.param "window" : index
  %n = mask.param "n" : index
  %most = mask.max %w, %n
  %m = mask.cmp lt, %k, %most
  mask.return %m : i1
}
