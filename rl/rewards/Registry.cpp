// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The rewards that ship, by name.
#include "rl/rewards/Reward.h"
#include <stdexcept>

namespace maskjit::rl {

const std::vector<Reward> &rewardRegistry() {
  static const std::vector<Reward> all = {
      {"correct", "1 if the completion is the answer, or its program is right in every trial; else 0", rewardCorrect},
      {"format", "1 if the completion is a plain number, or holds a program, and stopped by itself; else 0",
       rewardFormat},
      {"no_cheat", "-1 if there is evidence that the program cheats; else 0", rewardNoCheat, true},
      {"runs", "1 if the program runs to its end, right or wrong; else 0", rewardRuns, true},
      {"speed", "doublings of the reference's speed if the program is right; else 0", rewardSpeed, true},
      {"verdict", "the judge's own value of the verdict and the speed", rewardVerdict, true},
  };
  return all;
}

const Reward &findReward(std::string_view name) {
  std::string known;
  for (const Reward &reward : rewardRegistry()) {
    if (reward.name == name)
      return reward;
    known += (known.empty() ? "" : ", ") + reward.name;
  }
  throw std::runtime_error("reward '" + std::string(name) + "' is unknown; there are: " + known);
}

} // namespace maskjit::rl
