// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elimination of a tile's coordinates with MLIR's Presburger library: what remains is bounds over symbols.
#pragma once
#include "compiler/analysis/TileSpace.h"

namespace maskjit {

/// form / divisor, rounded to the inside: up for a lower bound, down for an upper one. The divisor is positive, and it
/// and the form's numbers are at most 2^61.
struct Bound {
  LinearForm form;
  int64_t divisor = 1;
};

/// What remains of a disjunct: x between bounds, under conditions without x. It contains every solution over the
/// integers, and no more than these if `isExact`.
struct Projection {
  bool isEmpty = false;
  bool isExact = true;
  llvm::SmallVector<Constraint, 4> conditions;
  llvm::SmallVector<Bound, 2> lower, upper; // x >= every lower, x <= every upper, inclusive
};

/// Eliminates everything that varies in the tile but `kept`. Without `kept` the result may still bound one unknown x,
/// which exists if the greatest lower bound is at most the least upper bound.
Projection project(TileSpace &space, const Disjunct &disjunct, std::optional<TermId> kept);

/// False if no tile, parameters and coordinates satisfy the disjunct (judged over the rationals).
bool isFeasible(TileSpace &space, const Disjunct &disjunct);

} // namespace maskjit
