// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sums of integer multiples of terms, and the constraints and disjuncts made of them.
#pragma once
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <optional>
#include <utility>

namespace maskjit {

/// Index of a term in its TileSpace.
using TermId = unsigned;

/// sum of coefficient * term, plus a constant; terms ascend and no coefficient is 0.
struct LinearForm {
  llvm::SmallVector<std::pair<TermId, int64_t>, 4> terms;
  int64_t constant = 0;

  static LinearForm ofConstant(int64_t value);
  static LinearForm ofTerm(TermId term, int64_t coefficient = 1);
  bool isConstant() const { return terms.empty(); }
  int64_t coefficient(TermId term) const;
  bool operator==(const LinearForm &other) const { return terms == other.terms && constant == other.constant; }
};

/// a + factor * b, or nothing if a coefficient leaves 64 bits.
std::optional<LinearForm> addScaled(const LinearForm &a, const LinearForm &b, int64_t factor);

/// form >= 0, or form == 0.
struct Constraint {
  LinearForm form;
  bool isEquality = false;
  bool operator==(const Constraint &other) const { return form == other.form && isEquality == other.isEquality; }
};

/// All constraints hold.
using Disjunct = llvm::SmallVector<Constraint, 6>;

} // namespace maskjit
