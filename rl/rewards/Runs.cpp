// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The reward for a program that runs to its end, right or wrong.
#include "rl/judge/Judge.h"
#include "rl/rewards/Reward.h"

namespace maskjit::rl {

std::optional<double> rewardRuns(const Judged &judged) {
  if (!judged.judgement)
    return std::nullopt;
  Verdict verdict = judged.judgement->verdict;
  return verdict == Verdict::Ok || verdict == Verdict::Wrong ? 1.0 : 0.0;
}

} // namespace maskjit::rl
