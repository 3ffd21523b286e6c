// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fast matrix multiplication in Python for language models, as in the published notebooks for gpt-oss: the prompt asks
// for `def matmul(A, B)` with native code only, the last fenced block of the final channel is judged.
#pragma once
#include "rl/tasks/Task.h"

namespace maskjit::rl {

class Matmul : public Task {
public:
  std::string name() const override { return "matmul"; }
  /// The prompt is always the same; what varies is the completion.
  Problem draw(Split split, uint64_t seed, uint64_t index) const override;
  std::vector<Problem> sample(Split split, uint64_t seed, size_t count) const override;
  /// The plain triple loop in a fenced block; `care` does not matter.
  std::string teacherAnswer(Split split, uint64_t seed, uint64_t index, double care) const override;
  /// Both shares are those of completions with a program.
  Grade grade(const Judged &judged) const override;
  double evaluationTemperature() const override { return 1; }
  std::string gradeName() const override { return "share of completions with a program"; }
  std::optional<Language> language() const override { return Language::Python; }
  Result<std::string> program(const Judged &judged) const override;
};

} // namespace maskjit::rl
