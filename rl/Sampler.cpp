// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Draws completions from the current weights and judges them.
#include "rl/Sampler.h"
#include <ATen/Functions.h>
#include <limits>
#include <stdexcept>

namespace maskjit::rl {

std::vector<Completion> complete(const GptOss &model, const Tokenizer &tokenizer, const std::vector<Problem> &problems,
                                 int64_t each, uint64_t firstSequence, const GenerateOptions &options,
                                 int64_t maxPromptLength) {
  std::vector<std::vector<int64_t>> prompts;
  for (const Problem &problem : problems) {
    std::vector<int64_t> ids = tokenizer.encode(problem.prompt);
    if (ids.empty() || int64_t(ids.size()) > maxPromptLength)
      throw std::runtime_error("the prompt '" + problem.prompt + "' has " + std::to_string(ids.size()) +
                               " tokens; expected 1 to max_prompt_length = " + std::to_string(maxPromptLength));
    prompts.insert(prompts.end(), size_t(each), ids);
  }
  GenerateOptions numbered = options;
  numbered.sequences.clear();
  for (size_t i = 0; i < prompts.size(); ++i)
    numbered.sequences.push_back(firstSequence + i);
  std::vector<Generation> generations = generate(model, prompts, numbered);

  std::vector<Completion> out;
  for (size_t i = 0; i < generations.size(); ++i) {
    Generation &g = generations[i];
    std::vector<int64_t> spoken(g.tokens.begin(), g.tokens.end() - (g.finished ? 1 : 0));
    std::string text = tokenizer.decode(spoken);
    out.push_back({std::move(prompts[i]), std::move(g.tokens), std::move(g.logProbs), std::move(text), g.finished});
  }
  return out;
}

std::vector<Judged> judgedOf(const std::vector<Completion> &completions, const std::vector<Problem> &problems,
                             int64_t each) {
  std::vector<Judged> out;
  for (size_t i = 0; i < completions.size(); ++i) {
    const Problem &problem = problems[i / size_t(each)];
    out.push_back({problem.prompt, completions[i].text, problem.answer, completions[i].finished});
  }
  return out;
}

at::Tensor rewardTable(const std::vector<Judged> &completions, const std::vector<std::string> &rewards) {
  at::Tensor out = at::empty({int64_t(completions.size()), int64_t(rewards.size())}, at::kFloat);
  auto *value = out.mutable_data_ptr<float>();
  for (const Judged &completion : completions)
    for (const std::string &name : rewards)
      *value++ = float(findReward(name).judge(completion).value_or(std::numeric_limits<double>::quiet_NaN()));
  return out;
}

} // namespace maskjit::rl
