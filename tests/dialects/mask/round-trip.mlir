// RUN: maskjit-opt %s | maskjit-opt | FileCheck %s
// RUN: maskjit-opt %s -mlir-print-op-generic | maskjit-opt | FileCheck %s

// Every operation survives printing and parsing, in its own syntax and in the generic one.
// CHECK-LABEL: mask.func @all(
// CHECK-SAME: params = [#mask.decl<name = "window", axis = none, min = 1, max = 128, isStatic = false, isSorted = false, isFloat = false, defaultValue = 128 : i64>, #mask.decl<name = "documents", axis = k, min = 0, max = 100, isStatic = false, isSorted = true, isFloat = false>]
mask.func @all(%b: index, %h: index, %q: index, %k: index) -> i1 attributes {params = [
    #mask.decl<name = "window", axis = none, min = 1, max = 128, isStatic = false, isSorted = false, isFloat = false, defaultValue = 128 : i64>,
    #mask.decl<name = "documents", axis = k, min = 0, max = 100, isStatic = false, isSorted = true, isFloat = false>]} {
  // CHECK: mask.constant 3 : index
  %three = mask.constant 3 : index
  // CHECK: mask.param "window" : index
  %w = mask.param "window" : index
  // CHECK: mask.load "documents"[%{{.+}}] : index
  %d = mask.load "documents"[%k] : index
  // CHECK: mask.search "documents" ge %
  %i = mask.search "documents" ge %d
  // CHECK: mask.first "documents" ge %{{.+}} within 1024 below
  %j = mask.first "documents" ge %d within 1024 below
  // CHECK: mask.size "documents"
  %n = mask.size "documents"
  // CHECK: mask.add
  %0 = mask.add %q, %i
  // CHECK: mask.sub
  %1 = mask.sub %0, %j
  // CHECK: mask.mul
  %2 = mask.mul %1, %three
  // CHECK: mask.floordiv
  %3 = mask.floordiv %2, %w
  // CHECK: mask.mod
  %4 = mask.mod %3, %n
  // CHECK: mask.min
  %5 = mask.min %4, %k
  // CHECK: mask.max
  %6 = mask.max %5, %q
  // CHECK: mask.cmp lt, %
  %7 = mask.cmp lt, %6, %w
  // CHECK: mask.constant true
  %yes = mask.constant true
  // CHECK: mask.and
  %8 = mask.and %7, %yes
  // CHECK: mask.or
  %9 = mask.or %8, %7
  // CHECK: mask.not
  %10 = mask.not %9
  // CHECK: mask.select %{{.+}} : i1
  %11 = mask.select %10, %8, %9 : i1
  // CHECK: mask.return %{{.+}} : i1
  mask.return %11 : i1
}

// A score function takes and returns fp32.
// CHECK-LABEL: mask.func @all.score(
mask.func @all.score(%s: f32, %b: index, %h: index, %q: index, %k: index) -> f32 attributes {params = [
    #mask.decl<name = "cap", axis = none, min = 0, max = 0, isStatic = false, isSorted = false, isFloat = true, defaultValue = 5.000000e+01 : f32>]} {
  // CHECK: mask.param "cap" : f32
  %cap = mask.param "cap" : f32
  // CHECK: mask.to_float
  %f = mask.to_float %q
  %0 = arith.mulf %cap, %f : f32
  mask.return %0 : f32
}
