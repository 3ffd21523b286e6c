// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Comparisons of monotone functions of a coordinate, solved for the coordinate.
#pragma once
#include "dialects/mask/MaskDialect.h"

namespace maskjit {

/// Rewrites the comparisons of `predicate` so that `coordinate` (an argument of it) stands outside of sorted arrays,
/// divisions, min and max as far as possible:
///
///   documents[k] == d      ->  first(documents, d) <= k  and  k < first(documents, d + 1)
///   k / c >= v             ->  k >= v * c                               (c positive, the same for all k)
///   max(k, x) <= y         ->  k <= y  and  x <= y
///   x % c                  ->  x - c * (x / c)                          (c a positive constant)
///
/// Each step is an equivalence over the integers. For analysis, on a copy: the result holds mask.first.
void solveFor(mask::FuncOp predicate, mlir::Value coordinate);

/// Replaces every mask.first by mask.search and the cases before the first and after the last element.
void expandFirst(mask::FuncOp func);

} // namespace maskjit
