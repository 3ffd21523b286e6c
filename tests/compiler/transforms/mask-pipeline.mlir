// RUN: maskjit-opt %s -mask-pipeline | FileCheck %s

// Every function of a window over a cache, in the order of the dialect's table.
// CHECK: mask.func @m(
// CHECK: mask.func @m.keys(
// CHECK: mask.func @m.full_keys(
// CHECK: mask.func @m.row(
// CHECK: mask.func @m.queries(
// CHECK: mask.func @m.full_queries(
// CHECK: mask.func @m.column(
// CHECK: mask.func @m.classify(
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "window", axis = none, min = 1, max = 128, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "q_offset", axis = none, min = 0, max = 100, isStatic = false, isSorted = false, isFloat = false>]} {
  %w = mask.param "window" : index
  %o = mask.param "q_offset" : index
  %zero = mask.constant 0 : index
  %p = mask.add %q, %o
  %d = mask.sub %p, %k
  %lower = mask.cmp le, %zero, %d
  %upper = mask.cmp lt, %d, %w
  %m = mask.and %lower, %upper
  mask.return %m : i1
}
