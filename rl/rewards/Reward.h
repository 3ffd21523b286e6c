// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A reward judges one completion; rewards are found by name and summed with weights.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace maskjit::rl {

struct Judgement;

struct Judged {
  std::string_view prompt;
  std::string_view completion; // decoded, special tokens included, without the stop token that ended it
  std::string_view answer;     // what the task expects
  bool finished = false;       // ended by a stop token, not by length
  /// Of the program that the completion holds, where the task asks for programs; shared by all rewards, so that they
  /// speak of the same run. Verdict::Invalid without trials if the completion holds none.
  const Judgement *judgement = nullptr;
  bool hasProgram = false;
};

/// A pure function of its argument. nullopt: this reward does not judge such a completion.
using RewardFunction = std::optional<double> (*)(const Judged &);

struct Reward {
  std::string name;        // of the metric rewards/<name>/mean
  std::string description; // one line for --help
  RewardFunction judge;
  bool ofPrograms = false; // needs a judgement: for tasks that ask for programs only
};

/// All rewards that ship, in the order of their names.
const std::vector<Reward> &rewardRegistry();
/// Throws std::runtime_error listing the known names.
const Reward &findReward(std::string_view name);

std::optional<double> rewardCorrect(const Judged &judged);
std::optional<double> rewardFormat(const Judged &judged);
std::optional<double> rewardNoCheat(const Judged &judged);
std::optional<double> rewardRuns(const Judged &judged);
std::optional<double> rewardSpeed(const Judged &judged);
std::optional<double> rewardVerdict(const Judged &judged);

} // namespace maskjit::rl
