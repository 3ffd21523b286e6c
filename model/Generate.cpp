// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Prefill of right-padded prompts, then steps over the sequences that still run.
#include "model/Generate.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace maskjit {
namespace {

using Prompts = std::vector<std::vector<int64_t>>;

void checkPrompts(const Prompts &prompts, const GenerateOptions &options, const Config &config) {
  options.sampling.validate();
  if (options.maxNewTokens < 1)
    throw std::runtime_error(fmt::format("max_new_tokens: expected at least 1, got {}", options.maxNewTokens));
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

/// Each prompt once, in order of first appearance.
struct DistinctPrompts {
  Prompts prompts;
  std::vector<int64_t> rows;    // where each stands first
  std::vector<int64_t> sources; // of every given prompt: which of them it is

  explicit DistinctPrompts(const Prompts &given) {
    std::map<std::vector<int64_t>, int64_t> known;
    for (size_t i = 0; i < given.size(); ++i) {
      auto [it, fresh] = known.insert({given[i], int64_t(prompts.size())});
      if (fresh) {
        prompts.push_back(given[i]);
        rows.push_back(i);
      }
      sources.push_back(it->second);
    }
  }
};

/// Prompts as a batch, padded on the right.
Batch batchOf(const Prompts &prompts) {
  int64_t longest = 0;
  for (const std::vector<int64_t> &prompt : prompts)
    longest = std::max<int64_t>(longest, prompt.size());
  Batch batch;
  batch.inputIds = at::zeros({int64_t(prompts.size()), longest}, at::kLong);
  batch.attentionMask = at::zeros_like(batch.inputIds);
  for (size_t i = 0; i < prompts.size(); ++i) {
    const int64_t length = prompts[i].size();
    batch.inputIds[i].narrow(0, 0, length).copy_(at::tensor(prompts[i], at::kLong));
    batch.attentionMask[i].narrow(0, 0, length).fill_(1);
  }
  return batch;
}

/// The sequences that still run, and what the next draw needs of them.
class Running {
public:
  Running(const GptOss &model, const Prompts &prompts, const GenerateOptions &options, std::vector<Generation> &results)
      : options(options), results(results), stops(options.stopTokens) {
    if (stops.empty())
      stops = model.config().eosTokenIds;
    for (size_t i = 0; i < prompts.size(); ++i) {
      prompt.push_back(i);
      number.push_back(options.sequences.empty() ? i : options.sequences[i]);
      length.push_back(prompts[i].size());
    }
    if (options.sampling.repetitionPenalty == 1)
      return;
    seen = at::zeros({int64_t(prompts.size()), model.config().vocabSize},
                     at::TensorOptions(at::kBool).device(model.device()));
    for (size_t i = 0; i < prompts.size(); ++i)
      seen[i].index_fill_(0, at::tensor(prompts[i], at::kLong).to(model.device()), true);
  }

  /// Draws a token for each; returns the rows that go on. `alive` turns false when the callback ends it all.
  std::vector<int64_t> step(const at::Tensor &logits, const TokenCallback &callback, bool &alive) {
    const Sample drawn = sample(logits, options.sampling, number, length, seen);
    std::vector<int64_t> rows;
    for (size_t row = 0; row < prompt.size(); ++row) {
      Generation &result = results[prompt[row]];
      const int64_t token = drawn.tokens[row];
      result.tokens.push_back(token);
      result.logProbs.push_back(drawn.logProbs[row]);
      result.finished = !options.ignoreStops && std::find(stops.begin(), stops.end(), token) != stops.end();
      if (alive && callback)
        alive = callback(prompt[row], token, drawn.logProbs[row]);
      ++length[row];
      if (!result.finished && int64_t(result.tokens.size()) < options.maxNewTokens)
        rows.push_back(row);
    }
    last = at::tensor(drawn.tokens, at::kLong).unsqueeze(1);
    if (seen.defined())
      seen.scatter_(1, last.to(seen.device()), true);
    return rows;
  }

  void keep(const std::vector<int64_t> &rows) {
    for (size_t i = 0; i < rows.size(); ++i)
      prompt[i] = prompt[rows[i]], number[i] = number[rows[i]], length[i] = length[rows[i]];
    prompt.resize(rows.size()), number.resize(rows.size()), length.resize(rows.size());
    const at::Tensor index = at::tensor(rows, at::kLong);
    last = last.index_select(0, index);
    if (seen.defined())
      seen = seen.index_select(0, index.to(seen.device()));
  }

  size_t count() const { return prompt.size(); }
  at::Tensor last; // [n, 1] int64: the tokens drawn last

private:
  const GenerateOptions &options;
  std::vector<Generation> &results;
  std::vector<int64_t> stops;
  std::vector<size_t> prompt;
  std::vector<uint64_t> number;
  std::vector<int64_t> length;
  at::Tensor seen;
};

/// Puts the prompts into the cache; logits [n, vocabulary] of the token after each.
at::Tensor prefill(const GptOss &model, const Prompts &prompts, KvCache &cache) {
  const DistinctPrompts distinct(prompts);
  std::vector<int64_t> lastPlaces;
  for (const std::vector<int64_t> &prompt : distinct.prompts)
    lastPlaces.push_back(prompt.size() - 1);
  KvCache once = cache;
  once.keep(distinct.rows);
  const at::Tensor hidden = model.forward(batchOf(distinct.prompts), &once).last;
  cache.copySequences(once, distinct.sources);
  const auto onDevice = [&](const std::vector<int64_t> &values) {
    return at::tensor(values, at::kLong).to(model.device());
  };
  const at::Tensor rows = at::arange(hidden.size(0), at::TensorOptions(at::kLong).device(model.device()));
  const at::Tensor logits = model.logits(at::index(hidden, {rows, onDevice(lastPlaces)}));
  return logits.index_select(0, onDevice(distinct.sources));
}

} // namespace

std::vector<Generation> generate(const GptOss &model, const Prompts &prompts, const GenerateOptions &options,
                                 const TokenCallback &callback) {
  checkPrompts(prompts, options, model.config());
  std::vector<Generation> results(prompts.size());
  if (prompts.empty())
    return results;
  at::NoGradGuard noGradients;
  int64_t longest = 0;
  for (const std::vector<int64_t> &prompt : prompts)
    longest = std::max<int64_t>(longest, prompt.size());
  KvCache cache(model.config(), prompts.size(), longest + options.maxNewTokens, model.device(), model.dtype());
  Running running(model, prompts, options, results);
  at::Tensor logits = prefill(model, prompts, cache);
  for (bool alive = true;;) {
    const std::vector<int64_t> kept = running.step(logits, callback, alive);
    if (kept.empty() || !alive)
      return results;
    if (kept.size() < running.count()) {
      cache.keep(kept);
      running.keep(kept);
    }
    Batch next;
    next.inputIds = running.last;
    logits = model.logits(model.forward(next, &cache).last.squeeze(1));
  }
}

} // namespace maskjit
