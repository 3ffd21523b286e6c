// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks of prompts and options; the scheduler does the work.
#include "model/Generate.h"
#include "model/Scheduler.h"
#include <fmt/format.h>

namespace maskjit {
namespace {

using Prompts = std::vector<std::vector<int64_t>>;

void checkPrompts(const Prompts &prompts, const GenerateOptions &options, const Config &config) {
  options.sampling.validate();
  if (options.maxNewTokens < 1)
    throw std::runtime_error(fmt::format("max_new_tokens: expected at least 1, got {}", options.maxNewTokens));
  const std::pair<const char *, int64_t> positive[] = {{"slots", options.slots},
                                                       {"prefill_tokens", options.prefillTokens}};
  for (auto [name, value] : positive)
    if (value < 1)
      throw std::runtime_error(fmt::format("{}: expected at least 1, got {}", name, value));
  if (options.cacheTokens < 0)
    throw std::runtime_error(
        fmt::format("cache_tokens: expected 0 (room for all slots) or more, got {}", options.cacheTokens));
  if (!options.sequences.empty() && options.sequences.size() != prompts.size())
    throw std::runtime_error(fmt::format("sequences: expected a number for each of {} prompts, got {}", prompts.size(),
                                         options.sequences.size()));
  for (size_t i = 0; i < prompts.size(); ++i) {
    const int64_t length = prompts[i].size();
    if (length == 0)
      throw std::runtime_error(fmt::format("prompt {} is empty; a model continues at least one token", i));
    if (length + options.maxNewTokens > config.maxPositions)
      throw std::runtime_error(
          fmt::format("prompt {} has {} tokens; with {} new ones that is more than max_position_embeddings ({})", i,
                      length, options.maxNewTokens, config.maxPositions));
    for (int64_t id : prompts[i])
      if (id < 0 || id >= config.vocabSize)
        throw std::runtime_error(
            fmt::format("prompt {} holds the id {}; the vocabulary has {}", i, id, config.vocabSize));
  }
}

} // namespace

std::vector<Generation> generate(const GptOss &model, const Prompts &prompts, const GenerateOptions &options,
                                 const TokenCallback &callback) {
  checkPrompts(prompts, options, model.config());
  if (prompts.empty())
    return {};
  return Scheduler(model, prompts, options, callback).run();
}

} // namespace maskjit
