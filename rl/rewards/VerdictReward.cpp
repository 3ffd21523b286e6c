// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The judge's own scale as one reward: every verdict has its value, in an order that the judge checks.
#include "rl/judge/Judge.h"
#include "rl/rewards/Reward.h"

namespace maskjit::rl {

std::optional<double> rewardVerdict(const Judged &judged) {
  if (!judged.judgement)
    return std::nullopt;
  return judged.judgement->reward;
}

} // namespace maskjit::rl
