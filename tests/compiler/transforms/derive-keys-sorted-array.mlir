// RUN: maskjit-opt %s -mask-derive-keys -canonicalize | FileCheck %s

// documents[k] == documents[q] of a sorted array is an interval that two searches find.
// CHECK-LABEL: mask.func @documents.row(
// CHECK: %[[D:.+]] = mask.load "documents"[%arg2]
// CHECK: mask.search "documents" ge %[[D]]
// CHECK: %[[NEXT:.+]] = mask.add %[[D]]
// CHECK: mask.search "documents" ge %[[NEXT]]
// CHECK: mask.return
mask.func @documents(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "documents", axis = k, min = 0, max = 100, isStatic = false, isSorted = true, isFloat = false>]} {
  %mine = mask.load "documents"[%q] : index
  %theirs = mask.load "documents"[%k] : index
  %m = mask.cmp eq, %mine, %theirs
  mask.return %m : i1
}
