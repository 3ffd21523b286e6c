// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Schedules of a matrix product for models too small to write code: the completion is a text of the grammar in
// rl/schedule/LoopSchedule.h, which becomes a C kernel and is judged like any other.
#pragma once
#include "rl/schedule/LoopSchedule.h"
#include "rl/tasks/Task.h"

namespace maskjit::rl {

class MatmulSchedule : public Task {
public:
  explicit MatmulSchedule(Grammar grammar = Grammar::Honest) : grammar(grammar) {}

  std::string name() const override;
  /// The prompt is always the same, so problems of all splits are; what varies is the completion.
  Problem draw(Split split, uint64_t seed, uint64_t index) const override;
  std::vector<Problem> sample(Split split, uint64_t seed, size_t count) const override;
  /// A random valid schedule; `care` does not matter.
  std::string teacherAnswer(Split split, uint64_t seed, uint64_t index, double care) const override;
  /// Both shares are those of valid schedules.
  Grade grade(const Judged &judged) const override;
  double evaluationTemperature() const override { return 1; }
  std::string gradeName() const override { return "share of valid schedules"; }
  std::optional<Language> language() const override { return Language::C; }
  Result<std::string> program(const Judged &judged) const override;

private:
  Grammar grammar;
};

} // namespace maskjit::rl
