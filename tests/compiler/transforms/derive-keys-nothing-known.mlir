// RUN: maskjit-opt %s -mask-derive-keys -mask-derive-queries -mask-derive-tile-class | FileCheck %s

// Where nothing is known there is no function.
// CHECK: mask.func @any(
// CHECK-NOT: mask.func @any.
mask.func @any(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "group_of_key", axis = k, min = 0, max = 1, isStatic = false, isSorted = false, isFloat = false>,
    #mask.decl<name = "group_of_query", axis = q, min = 0, max = 1, isStatic = false, isSorted = false, isFloat = false>]} {
  %theirs = mask.load "group_of_key"[%k] : index
  %mine = mask.load "group_of_query"[%q] : index
  %m = mask.cmp eq, %mine, %theirs
  mask.return %m : i1
}
