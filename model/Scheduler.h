// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Continuous batching: sequences wait for a slot of the KV cache, and one that ends gives its slot to the next at once.
#pragma once
#include "model/Decoder.h"
#include "model/Generate.h"
#include <deque>
#include <map>

namespace maskjit {

/// Runs all prompts of one call of generate. A prompt that several sequences continue one after the other is computed
/// once, and its keys are shared.
class Scheduler {
public:
  /// `prompts` and `options` are checked and outlive this.
  Scheduler(const GptOss &model, const std::vector<std::vector<int64_t>> &prompts, const GenerateOptions &options,
            const TokenCallback &callback);

  std::vector<Generation> run();

private:
  /// A prompt whose keys are in the cache, and the logits of the token after it.
  struct Prefilled {
    KvPrefix keys;
    at::Tensor logits; // [1, vocabulary]
  };
  struct Slot {
    bool occupied = false;
    size_t sequence = 0;
    int64_t launched = 0; // tokens drawn or under way
  };

  int64_t tokensOf(size_t sequence) const { return prompts[sequence].size() + options.maxNewTokens; }
  void admit();
  void start(int64_t slot, size_t sequence, const Prefilled &prefilled);
  /// Computes the prompts of the waiting sequences that free slots are there for, at most prefillTokens at once.
  void prefill(int64_t freeSlots);
  /// Frees what was computed of other prompts; they are computed again when it is their turn.
  void forgetAllBut(const std::vector<int64_t> &prompt);
  void take(size_t sequence, int64_t slot, int64_t token, float logProb);
  void finish(int64_t slot);
  /// Slots whose sequences have tokens left to draw.
  std::vector<int64_t> running() const;
  void look(Drawn &drawn, const std::vector<size_t> &owners);

  const GptOss &model;
  const std::vector<std::vector<int64_t>> &prompts;
  const GenerateOptions &options;
  const TokenCallback &callback;
  std::vector<int64_t> stops;
  int64_t prefillRows;
  std::vector<Slot> slots;
  std::unique_ptr<KvCache> cache; // slots, then those that prompts are computed in
  std::unique_ptr<Decoder> decoder;
  std::deque<size_t> waiting;
  std::map<std::vector<int64_t>, Prefilled> prefilled;
  std::vector<Generation> results;
  bool alive = true;
};

} // namespace maskjit
