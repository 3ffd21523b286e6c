// RUN: maskjit-opt %s -mask-derive-keys -mask-derive-queries -mask-derive-tile-class | FileCheck %s

// Where nothing is known there is no function.
// CHECK: mask.func @any(
// CHECK-NOT: mask.func @any.
mask.func @any(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "keep", axis = k, min = 0, max = 1, isStatic = false, isSorted = false, isFloat = false>]} {
  %kept = mask.load "keep"[%k] : index
  %one = mask.constant 1 : index
  %m = mask.cmp eq, %kept, %one
  mask.return %m : i1
}
