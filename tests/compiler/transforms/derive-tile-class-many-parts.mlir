// RUN: maskjit-opt %s -mask-derive-tile-class | FileCheck %s

// More conjunctions than are looked at together: the parts are, one by one, and `any` is true if one of them may be.
// CHECK-LABEL: mask.func @slots.classify(
// CHECK-COUNT-17: mask.param "p{{[0-9]+}}"
// CHECK: mask.return
mask.func @slots(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "p0", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p1", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p2", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p3", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p4", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p5", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p6", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p7", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p8", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p9", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p10", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p11", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p12", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p13", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p14", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p15", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "p16", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>]} {
  %p0 = mask.param "p0" : index
  %e0 = mask.cmp eq, %k, %p0
  %p1 = mask.param "p1" : index
  %e1 = mask.cmp eq, %k, %p1
  %p2 = mask.param "p2" : index
  %e2 = mask.cmp eq, %k, %p2
  %p3 = mask.param "p3" : index
  %e3 = mask.cmp eq, %k, %p3
  %p4 = mask.param "p4" : index
  %e4 = mask.cmp eq, %k, %p4
  %p5 = mask.param "p5" : index
  %e5 = mask.cmp eq, %k, %p5
  %p6 = mask.param "p6" : index
  %e6 = mask.cmp eq, %k, %p6
  %p7 = mask.param "p7" : index
  %e7 = mask.cmp eq, %k, %p7
  %p8 = mask.param "p8" : index
  %e8 = mask.cmp eq, %k, %p8
  %p9 = mask.param "p9" : index
  %e9 = mask.cmp eq, %k, %p9
  %p10 = mask.param "p10" : index
  %e10 = mask.cmp eq, %k, %p10
  %p11 = mask.param "p11" : index
  %e11 = mask.cmp eq, %k, %p11
  %p12 = mask.param "p12" : index
  %e12 = mask.cmp eq, %k, %p12
  %p13 = mask.param "p13" : index
  %e13 = mask.cmp eq, %k, %p13
  %p14 = mask.param "p14" : index
  %e14 = mask.cmp eq, %k, %p14
  %p15 = mask.param "p15" : index
  %e15 = mask.cmp eq, %k, %p15
  %p16 = mask.param "p16" : index
  %e16 = mask.cmp eq, %k, %p16
  %o1 = mask.or %e0, %e1
  %o2 = mask.or %o1, %e2
  %o3 = mask.or %o2, %e3
  %o4 = mask.or %o3, %e4
  %o5 = mask.or %o4, %e5
  %o6 = mask.or %o5, %e6
  %o7 = mask.or %o6, %e7
  %o8 = mask.or %o7, %e8
  %o9 = mask.or %o8, %e9
  %o10 = mask.or %o9, %e10
  %o11 = mask.or %o10, %e11
  %o12 = mask.or %o11, %e12
  %o13 = mask.or %o12, %e13
  %o14 = mask.or %o13, %e14
  %o15 = mask.or %o14, %e15
  %o16 = mask.or %o15, %e16
  mask.return %o16 : i1
}
