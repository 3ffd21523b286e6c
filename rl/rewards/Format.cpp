// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The reward for a completion that can be read as an answer at all: a number, or a program.
#include "rl/rewards/Reward.h"

namespace maskjit::rl {

// Longer than any sum of two operands: a run of digits beyond it is no number of this task.
constexpr size_t kMaxDigits = 12;

std::optional<double> rewardFormat(const Judged &judged) {
  if (judged.judgement)
    return judged.hasProgram ? 1.0 : 0.0;
  const std::string_view text = judged.completion;
  if (!judged.finished || text.empty() || text.size() > kMaxDigits || (text[0] == '0' && text.size() > 1))
    return 0.0;
  return text.find_first_not_of("0123456789") == std::string_view::npos ? 1.0 : 0.0;
}

} // namespace maskjit::rl
