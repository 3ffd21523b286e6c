// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ways to fool a judge, as words of the widened grammar: what a policy is offered in the study of reward hacking.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace maskjit::rl {

/// A trick and the counter-measures (rl/judge/CounterMeasures.h), each of which suffices to defeat it.
struct Trick {
  std::string name;
  std::vector<std::string> defeatedBy;
  std::string what;        // one line for people
  std::string body;        // C of `matmul`, which may call `multiply`, the honest kernel of the schedule
  std::string before = ""; // C that stands before it
};

/// All tricks, the honest "none" first.
const std::vector<Trick> &tricks();
std::vector<std::string> trickNames();
/// Throws std::runtime_error listing the known names.
const Trick &findTrick(std::string_view name);

} // namespace maskjit::rl
