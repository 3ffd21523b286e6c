// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Addition of two three-digit numbers: "478+365=" is answered by "843".
#pragma once
#include "rl/tasks/Task.h"

namespace maskjit::rl {

struct Addition {
  int64_t a, b;
};

class Arithmetic : public Task {
public:
  static constexpr int64_t kLow = 100, kHigh = 999; // operands
  /// Which split a problem belongs to, by a hash of the unordered pair: a + b and b + a are never in two splits.
  static Split splitOf(Addition sum);
  /// The sum, where each carry out of the ones and tens column is kept with probability `care` only.
  static int64_t careless(Addition sum, double care, uint64_t seed, uint64_t index);

  std::string name() const override { return "arithmetic"; }
  Problem draw(Split split, uint64_t seed, uint64_t index) const override;
  std::vector<Problem> sample(Split split, uint64_t seed, size_t count) const override;
  /// A careless teacher's, see careless().
  std::string teacherAnswer(Split split, uint64_t seed, uint64_t index, double care) const override;
  Grade grade(const Judged &judged) const override;

private:
  Addition operands(Split split, uint64_t seed, uint64_t index) const;
};

} // namespace maskjit::rl
