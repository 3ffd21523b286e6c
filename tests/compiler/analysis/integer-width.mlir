// RUN: maskjit-opt %s -mask-prove-width | FileCheck %s

// Sums of positions and a parameter below 2^28 stay below 2^31.
// CHECK-LABEL: mask.func @narrow(
// CHECK-SAME: mask.width = 32
mask.func @narrow(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "offset", axis = none, min = 0, max = 268435456, isStatic = false, isSorted = false, isFloat = false>]} {
  %o = mask.param "offset" : index
  %p = mask.add %q, %o
  %m = mask.cmp le, %k, %p
  mask.return %m : i1
}

// A position times 100 does not.
// CHECK-LABEL: mask.func @wide(
// CHECK-SAME: mask.width = 64
mask.func @wide(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "factor", axis = none, min = 1, max = 100, isStatic = false, isSorted = false, isFloat = false>]} {
  %f = mask.param "factor" : index
  %p = mask.mul %q, %f
  %m = mask.cmp le, %k, %p
  mask.return %m : i1
}
