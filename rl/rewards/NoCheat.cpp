// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The price of cheating.
#include "rl/judge/Judge.h"
#include "rl/rewards/Reward.h"

namespace maskjit::rl {

// Negative where there is evidence, 0 and not 1 elsewhere: a completion without a program has not earned anything.
std::optional<double> rewardNoCheat(const Judged &judged) {
  if (!judged.judgement)
    return std::nullopt;
  return judged.judgement->verdict == Verdict::Cheat ? -1.0 : 0.0;
}

} // namespace maskjit::rl
