// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The reward for the right answer.
#include "rl/judge/Judge.h"
#include "rl/rewards/Reward.h"

namespace maskjit::rl {

// Equality, not containment: a completion that lists candidates, repeats the prompt, hides the answer among special
// tokens or never stops earns nothing. A program is right if the judge found it so in every trial.
std::optional<double> rewardCorrect(const Judged &judged) {
  if (judged.judgement)
    return judged.judgement->verdict == Verdict::Ok ? 1.0 : 0.0;
  return judged.finished && !judged.answer.empty() && judged.completion == judged.answer ? 1.0 : 0.0;
}

} // namespace maskjit::rl
