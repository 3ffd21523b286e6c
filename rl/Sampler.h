// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Draws completions from the current weights and judges them.
#pragma once
#include "model/Generate.h"
#include "model/GptOss.h"
#include "model/Tokenizer.h"
#include "rl/Settings.h"
#include "rl/rewards/Reward.h"
#include "rl/tasks/Task.h"

namespace maskjit::rl {

struct Completion {
  std::vector<int64_t> prompt, tokens; // tokens with the stop token
  std::vector<float> logps;
  std::string text; // decoded, without the stop token that ended it
  bool finished = false;
};

/// One completion a problem and repetition (`each` times, side by side). `firstSequence` numbers the first of them: the
/// draws depend on (options.sampling.seed, number, position) alone. Throws std::runtime_error if a prompt is longer
/// than `maxPromptLength` tokens.
std::vector<Completion> complete(const GptOss &model, const Tokenizer &tokenizer, const std::vector<Problem> &problems,
                                 int64_t each, uint64_t firstSequence, const GenerateOptions &options,
                                 int64_t maxPromptLength);

/// What rewards see of completions; completion i answers problem i / each. The views are into the arguments.
std::vector<Judged> judgedOf(const std::vector<Completion> &completions, const std::vector<Problem> &problems,
                             int64_t each);

/// rewards [completions, functions] fp32, NaN where a function does not judge.
at::Tensor rewardTable(const std::vector<Judged> &completions, const std::vector<std::string> &rewards);

} // namespace maskjit::rl
