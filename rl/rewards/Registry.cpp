// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The rewards that ship, by name.
#include "rl/rewards/Reward.h"
#include <stdexcept>

namespace maskjit::rl {

const std::vector<Reward> &rewardRegistry() {
  static const std::vector<Reward> all = {
      {"correct", "1 if the completion is the answer, character for character, and stopped by itself; else 0",
       rewardCorrect},
      {"format", "1 if the completion is a plain number without leading zeros and stopped by itself; else 0",
       rewardFormat},
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
