// RUN: maskjit-opt %s -mask-simplify | FileCheck %s

// n % 128 with n of [0, 100] is n.
// CHECK-LABEL: mask.func @smaller(
// CHECK: %[[N:.+]] = mask.param "n"
// CHECK: mask.cmp lt, %arg3, %[[N]]
mask.func @smaller(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "n", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>]} {
  %n = mask.param "n" : index
  %c = mask.constant 128 : index
  %r = mask.mod %n, %c
  %m = mask.cmp lt, %k, %r
  mask.return %m : i1
}

// n % 100 is not: n may be 100.
// CHECK-LABEL: mask.func @as_large(
// CHECK: mask.mod
mask.func @as_large(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "n", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>]} {
  %n = mask.param "n" : index
  %c = mask.constant 100 : index
  %r = mask.mod %n, %c
  %m = mask.cmp lt, %k, %r
  mask.return %m : i1
}
