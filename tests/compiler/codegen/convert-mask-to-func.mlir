// RUN: maskjit-opt %s -split-input-file -verify-diagnostics -convert-mask-to-func | FileCheck %s
// Small ranges compute in 32 bits; a scalar is read at its sequence's stride.
#window = #mask.decl<name = "window", axis = none, min = 1, max = 268435456, isStatic = false, isSorted = false, isFloat = false>
// CHECK-LABEL: func.func @mask_attends(
// CHECK-SAME: %[[PARAMS:.+]]: !llvm.ptr, %[[B:.+]]: i32, %{{.+}}: i32, %[[Q:.+]]: i32, %[[K:.+]]: i32) -> i1
// CHECK: %[[W:.+]] = llvm.load {{.+}} invariant : !llvm.ptr -> i32
// CHECK: %[[D:.+]] = arith.subi %[[Q]], %[[K]] : i32
// CHECK: arith.cmpi slt, %[[D]], %[[W]] : i32
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [#window]} {
  %w = mask.param "window" : index
  %d = mask.sub %q, %k
  %0 = mask.cmp lt, %d, %w
  mask.return %0 : i1
}
// Ranges leave as a pair of i64.
// CHECK-LABEL: func.func @mask_keys(
// CHECK-SAME: -> (i64, i64)
mask.func @m.keys(%b: index, %h: index, %q0: index, %q1: index) -> (index, index) attributes {params = [#window]} {
  mask.return %q0, %q1 : index, index
}
// CHECK: func.func @mask_uses_head() -> i1 {
// CHECK-NEXT: arith.constant false

// -----
// A product of positions needs 64 bits; a class is one integer with bits for any and all.
// CHECK-LABEL: func.func @mask_classify(
// CHECK-SAME: -> i32
// CHECK: arith.muli {{.+}} : i64
// CHECK: arith.shli
// CHECK: arith.ori
mask.func @m.classify(%b: index, %h: index, %q0: index, %q1: index, %k0: index, %k1: index) -> (i1, i1) {
  %p = mask.mul %q0, %k0
  %0 = mask.cmp le, %p, %q1
  %1 = mask.constant false
  mask.return %0, %1 : i1, i1
}

// -----
// Floor division by a power of two is a shift, by nothing known a guarded division.
#step = #mask.decl<name = "step", axis = none, min = 0, max = 9, isStatic = false, isSorted = false, isFloat = false>
// CHECK-LABEL: func.func @mask_attends(
// CHECK: arith.shrsi
// CHECK: %[[ZERO:.+]] = arith.cmpi eq
// CHECK: arith.select %[[ZERO]]
// CHECK: arith.divsi
mask.func @m(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [#step]} {
  %c8 = mask.constant 8 : index
  %0 = mask.floordiv %q, %c8
  %s = mask.param "step" : index
  %1 = mask.floordiv %k, %s
  %2 = mask.cmp eq, %0, %1
  mask.return %2 : i1
}

// -----
mask.func @one(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %0 = mask.cmp le, %k, %q
  mask.return %0 : i1
}
// expected-error@+1 {{belongs to another mask than @one; lower one mask a module}}
mask.func @two(%b: index, %h: index, %q: index, %k: index) -> i1 {
  %0 = mask.cmp le, %k, %q
  mask.return %0 : i1
}
