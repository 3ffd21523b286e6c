// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A predicate, or its negation, as a union of conjunctions of linear constraints.
#pragma once
#include "compiler/analysis/TileSpace.h"

namespace maskjit {

/// Beyond it callers go on with the parts of the expression.
inline constexpr unsigned kMaxDisjuncts = 16;
/// Conjunctions of two disjuncts that are looked at for one derived function, for the same reason: compile time.
inline constexpr unsigned kMaxConjunctions = 200;

/// Disjunctive forms of the truth values of one predicate.
class DisjunctiveForms {
public:
  explicit DisjunctiveForms(TileSpace &space) : space(space) {}

  struct Form {
    llvm::SmallVector<Disjunct, 2> disjuncts; // none: never true
    bool isExact = true;                      // else it contains the truth
  };
  /// Where `value` equals `truth`; nothing past kMaxDisjuncts or kMaxConjunctions. Infeasible disjuncts are gone.
  const std::optional<Form> &of(mlir::Value value, bool truth);

private:
  std::optional<Form> compute(mlir::Value value, bool truth);
  std::optional<Form> compareForms(mask::CmpOp op, bool truth);
  std::optional<Form> both(const std::optional<Form> &a, const std::optional<Form> &b);
  std::optional<Form> either(const std::optional<Form> &a, const std::optional<Form> &b);

  TileSpace &space;
  unsigned conjunctions = 0;
  llvm::DenseMap<std::pair<mlir::Value, unsigned>, std::unique_ptr<std::optional<Form>>> memo;
};

} // namespace maskjit
