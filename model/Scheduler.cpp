// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Admission, prefill, steps, and what becomes of drawn tokens.
#include "model/Scheduler.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace maskjit {
namespace {

/// With fewer, the experts' kernel adds up a token's experts in groups that the other tokens decide.
constexpr int64_t kLeastInvariantSlots = 8;

/// Prompts as a batch, padded on the right.
Batch batchOf(const std::vector<const std::vector<int64_t> *> &prompts) {
  int64_t longest = 0;
  for (const std::vector<int64_t> *prompt : prompts)
    longest = std::max<int64_t>(longest, prompt->size());
  Batch batch;
  batch.inputIds = at::zeros({int64_t(prompts.size()), longest}, at::kLong);
  batch.attentionMask = at::zeros_like(batch.inputIds);
  for (size_t i = 0; i < prompts.size(); ++i) {
    const int64_t length = prompts[i]->size();
    batch.inputIds[i].narrow(0, 0, length).copy_(at::tensor(*prompts[i], at::kLong));
    batch.attentionMask[i].narrow(0, 0, length).fill_(1);
  }
  return batch;
}

/// The most prompts that `tokens` padded tokens may hold, at least one.
int64_t promptsAtOnce(const std::vector<std::vector<int64_t>> &prompts, int64_t tokens) {
  std::vector<int64_t> lengths;
  for (const std::vector<int64_t> &prompt : prompts)
    lengths.push_back(prompt.size());
  std::sort(lengths.begin(), lengths.end());
  int64_t most = 1;
  while (most < int64_t(lengths.size()) && (most + 1) * lengths[most] <= tokens)
    ++most;
  return most;
}

} // namespace

Scheduler::Scheduler(const GptOss &model, const std::vector<std::vector<int64_t>> &prompts,
                     const GenerateOptions &options, const TokenCallback &callback)
    : model(model), prompts(prompts), options(options), callback(callback), stops(options.stopTokens),
      results(prompts.size()) {
  if (stops.empty())
    stops = model.config().eosTokenIds;
  int64_t longest = 0;
  for (size_t i = 0; i < prompts.size(); ++i) {
    waiting.push_back(i);
    longest = std::max<int64_t>(longest, prompts[i].size());
  }
  const int64_t count = std::min<int64_t>(options.slots, prompts.size()),
                distinct = std::set<std::vector<int64_t>>(prompts.begin(), prompts.end()).size();
  prefillRows = options.batchInvariant ? 1 : std::min({count, distinct, promptsAtOnce(prompts, options.prefillTokens)});
  slots.resize(options.batchInvariant ? std::max(options.slots, kLeastInvariantSlots) : count);
  KvCacheSizes sizes;
  sizes.slots = slots.size() + prefillRows;
  const int64_t most = longest + options.maxNewTokens;
  // Attention is split over keys by how many the cache may hold.
  sizes.capacity = options.batchInvariant ? model.config().maxPositions : most;
  const auto whole = [&](int64_t tokens) { return (tokens / sizes.pageSize + 1) * sizes.pageSize; };
  // Sequences read the whole pages of their prompts where prefill put them: beside each slot's own tokens there are the
  // last page of each prompt that is computed now, and one prompt that waits for its next sequence.
  const int64_t window = whole(std::min(most, model.config().slidingWindow));
  sizes.fullTokens =
      options.cacheTokens ? options.cacheTokens : count * whole(most) + prefillRows * sizes.pageSize + whole(longest);
  sizes.slidingTokens = count * window + (2 * prefillRows + 1) * window + prefillRows * sizes.pageSize +
                        whole(std::min(longest * prefillRows, options.prefillTokens));
  cache = std::make_unique<KvCache>(model.config(), sizes, model.device(), model.dtype());
  decoder = Decoder::make(model, *cache, slots.size(), options.sampling, options.batchInvariant,
                          distinct < int64_t(prompts.size()));
}

std::vector<Generation> Scheduler::run() {
  at::NoGradGuard noGradients;
  struct Step {
    Drawn drawn;
    std::vector<size_t> owners; // whose tokens they are: a slot may have another sequence by the time they come
  };
  std::deque<Step> underWay;
  while (alive) {
    admit();
    const std::vector<int64_t> now = running();
    if (alive && !now.empty()) {
      Step step{decoder->step(now), {}};
      for (int64_t slot : now) {
        step.owners.push_back(slots[slot].sequence);
        ++slots[slot].launched;
      }
      underWay.push_back(std::move(step));
    }
    if (underWay.empty() && waiting.empty())
      break;
    if (underWay.empty()) // every sequence ended with its first token
      continue;
    if (now.empty() || int64_t(underWay.size()) > decoder->ahead()) {
      look(underWay.front().drawn, underWay.front().owners);
      underWay.pop_front();
    }
  }
  for (Step &step : underWay) // its memory is the device's until it is done
    step.drawn.wait();
  return std::move(results);
}

std::vector<int64_t> Scheduler::running() const {
  std::vector<int64_t> now;
  for (size_t slot = 0; slot < slots.size(); ++slot)
    if (slots[slot].occupied && slots[slot].launched < options.maxNewTokens)
      now.push_back(slot);
  return now;
}

void Scheduler::admit() {
  for (size_t slot = 0; slot < slots.size() && !waiting.empty() && alive; ++slot) {
    if (slots[slot].occupied)
      continue;
    const size_t sequence = waiting.front();
    if (!prefilled.count(prompts[sequence]))
      prefill(std::count_if(slots.begin(), slots.end(), [](const Slot &s) { return !s.occupied; }));
    auto ready = prefilled.find(prompts[sequence]);
    if (ready == prefilled.end() || !cache->canOpen(ready->second.keys, tokensOf(sequence))) {
      if (std::any_of(slots.begin(), slots.end(), [](const Slot &s) { return s.occupied; }))
        return; // until a sequence ends
      forgetAllBut(prompts[sequence]);
      if (ready == prefilled.end())
        prefill(1);
      ready = prefilled.find(prompts[sequence]);
      if (ready == prefilled.end() || !cache->canOpen(ready->second.keys, tokensOf(sequence)))
        throw std::runtime_error(
            fmt::format("a KV cache for {} tokens is too small for prompt {} alone, which may grow "
                        "to {} tokens; raise cache_tokens",
                        options.cacheTokens, sequence, tokensOf(sequence)));
    }
    waiting.pop_front();
    start(slot, sequence, ready->second);
    if (waiting.empty() || prompts[waiting.front()] != prompts[sequence]) {
      cache->release(ready->second.keys);
      prefilled.erase(ready);
    }
  }
}

void Scheduler::forgetAllBut(const std::vector<int64_t> &prompt) {
  for (auto it = prefilled.begin(); it != prefilled.end();)
    if (it->first == prompt) {
      ++it;
    } else {
      cache->release(it->second.keys);
      it = prefilled.erase(it);
    }
}

void Scheduler::start(int64_t slot, size_t sequence, const Prefilled &from) {
  cache->open(slot, from.keys, tokensOf(sequence));
  slots[slot] = {true, sequence, 1};
  const uint64_t number = options.sequences.empty() ? sequence : options.sequences[sequence];
  at::Tensor seen;
  if (options.sampling.repetitionPenalty != 1) {
    seen = at::zeros(from.logits.sizes(), from.logits.options().dtype(at::kBool));
    seen[0].index_fill_(0, at::tensor(prompts[sequence], at::kLong).to(seen.device()), true);
  }
  const int64_t length = prompts[sequence].size();
  const Sample first = sample(from.logits, options.sampling, {number}, {length}, seen);
  decoder->start({slot, length, number, first.tokens[0], &prompts[sequence]});
  take(sequence, slot, first.tokens[0], first.logProbs[0]);
}

void Scheduler::prefill(int64_t freeSlots) {
  std::vector<const std::vector<int64_t> *> chosen;
  std::vector<int64_t> rows;
  int64_t longest = 0;
  for (size_t i = 0; i < waiting.size() && int64_t(i) < freeSlots; ++i) {
    const std::vector<int64_t> &prompt = prompts[waiting[i]];
    const auto same = [&](const std::vector<int64_t> *other) { return *other == prompt; };
    if (prefilled.count(prompt) || std::any_of(chosen.begin(), chosen.end(), same))
      continue;
    const int64_t length = prompt.size(), row = slots.size() + chosen.size();
    if (int64_t(chosen.size()) == prefillRows ||
        (!chosen.empty() && std::max(longest, length) * int64_t(chosen.size() + 1) > options.prefillTokens))
      break;
    if (!cache->canOpen(length, std::min(length, options.prefillTokens)))
      break;
    cache->open(row, length, std::min(length, options.prefillTokens));
    longest = std::max(longest, length);
    chosen.push_back(&prompt);
    rows.push_back(row);
  }
  if (chosen.empty())
    return;
  const Batch whole = batchOf(chosen);
  at::Tensor hidden; // [rows, T, hidden] of the last chunk; prompts that share a pass are one chunk
  int64_t begin = 0;
  for (int64_t next = 0; next < longest; next += options.prefillTokens) {
    const int64_t tokens = std::min(options.prefillTokens, longest - next);
    Batch chunk;
    chunk.inputIds = whole.inputIds.narrow(1, next, tokens);
    chunk.attentionMask = whole.attentionMask.narrow(1, next, tokens);
    chunk.slots = rows;
    hidden = model.forward(chunk, cache.get()).last;
    begin = next;
  }
  for (size_t i = 0; i < chosen.size(); ++i) {
    const at::Tensor last = hidden[i].narrow(0, int64_t(chosen[i]->size()) - 1 - begin, 1);
    prefilled[*chosen[i]] = {cache->prefix(rows[i]), model.logits(last)};
    cache->close(rows[i]);
  }
}

void Scheduler::take(size_t sequence, int64_t slot, int64_t token, float logProb) {
  Generation &result = results[sequence];
  result.tokens.push_back(token);
  result.logProbs.push_back(logProb);
  result.finished = !options.ignoreStops && std::find(stops.begin(), stops.end(), token) != stops.end();
  if (callback)
    alive = callback(sequence, token, logProb);
  if (result.finished || int64_t(result.tokens.size()) == options.maxNewTokens)
    finish(slot);
}

void Scheduler::finish(int64_t slot) {
  decoder->stop(slot);
  cache->close(slot);
  slots[slot].occupied = false;
}

void Scheduler::look(Drawn &drawn, const std::vector<size_t> &owners) {
  drawn.wait();
  const at::Tensor tokens = drawn.tokens.to(at::kLong);
  for (size_t i = 0; i < drawn.slots.size() && alive; ++i) {
    const int64_t slot = drawn.slots[i], place = drawn.places[i];
    if (slots[slot].occupied && slots[slot].sequence == owners[i])
      take(owners[i], slot, tokens.const_data_ptr<int64_t>()[place], drawn.logProbs.const_data_ptr<float>()[place]);
  }
}

} // namespace maskjit
