// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The reward for speed.
#include "rl/judge/Judge.h"
#include "rl/rewards/Reward.h"
#include <algorithm>
#include <cmath>

namespace maskjit::rl {

// Doublings of the reference's speed: from 10 to 20 times is as much as from 1 to 2, so one lucky kernel does not
// drown the differences of all others in a group. A right program that is slower than the reference earns 0, as a wrong
// one does: `correct` tells them apart.
std::optional<double> rewardSpeed(const Judged &judged) {
  if (!judged.judgement)
    return std::nullopt;
  if (judged.judgement->verdict != Verdict::Ok)
    return 0.0;
  return std::log2(std::max(1.0, judged.judgement->gain));
}

} // namespace maskjit::rl
