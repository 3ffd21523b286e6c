// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One decode step of gpt-oss as a CUDA graph: described in `attn` IR, fused, compiled once, replayed for every token.
#pragma once
#include "model/GptOss.h"
#include "model/KvCache.h"
#include "model/Sampling.h"
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace maskjit {

/// One decode step for up to `slots` sequences: device state in, next tokens out. Nothing of it waits for the host, and
/// the graph is captured once: sequences may grow, leave their slot and give it to others by writing the tensors below
/// on the stream of run().
class DecodeStep {
public:
  /// Why `model` cannot be run this way (its forward can); empty: it can. A CPU, weights that are held otherwise than
  /// the kernels read them, sizes that they do not take; results that show what shares a batch.
  static std::string refusal(const GptOss &model, bool batchInvariant = false);

  /// The first `slots` slots of `cache` are the step's. Both outlive it. An adapter that is switched on is applied as
  /// it is now. Throws std::runtime_error with the refusal or with what compiling says. Captures nothing yet. What a
  /// slot computes depends on its own sequence, on `slots`, and on how many positions the cache has a sequence, by
  /// which attention is split; not on the other slots, but over experts that are dense or in NF4 on how many of these
  /// all slots take, by which sums are cut. `sharesPrompts`: for findSharedPrompts, where the model's heads have a
  /// kernel for it; what a slot computes then depends, in the last bits, on which slots begin with the same pages.
  DecodeStep(const GptOss &model, const KvCache &cache, int64_t slots, const SamplingOptions &sampling,
             bool sharesPrompts = false);
  ~DecodeStep();
  DecodeStep(const DecodeStep &) = delete;
  DecodeStep &operator=(const DecodeStep &) = delete;

  // ---- state on the device, a slot each; run() reads and advances it ----
  at::Tensor tokens;   // [slots] int32: the token to feed, replaced by the one drawn
  at::Tensor kvLength; // [slots] int32: keys written before this step; one more after it
  at::Tensor sequence; // [slots] int64: the sequence's number in the random draws
  at::Tensor active;   // [slots] int32: 0: an empty slot, of which nothing is read, written or drawn
  at::Tensor seen; // [slots, vocabulary] uint8: tokens that the repetition penalty applies to; undefined without one

  // ---- results of the last step; an empty slot keeps what it had ----
  at::Tensor drawn;    // [slots] int32
  at::Tensor logProbs; // [slots] fp32, as Sample::logProbs
  at::Tensor logits;   // [slots, vocabulary] fp32

  /// One step of all active slots, on the current stream: captures the graph the first time, replays it afterwards.
  void run();
  /// After the adapter's factors have changed, or it was switched on or off: copies what they are now, on the current
  /// stream. Nothing is captured again. Throws if the model has come to another adapter with other targets or rank.
  void refreshAdapter();
  /// With `sharesPrompts`, before a step of other `running` slots than those of the last one, or of slots that have
  /// been opened again: full layers then attend the pages that several of them begin with once for all, if that spares
  /// at least `leastSaved` keys (see sharedPromptsTable). Nothing is captured again. Says for how many slots.
  int64_t findSharedPrompts(const std::vector<int64_t> &running, int64_t leastSaved);
  int64_t findSharedPrompts(const std::vector<int64_t> &running);
  /// How often a graph was captured, for tests: 1 after any number of steps.
  int64_t captures() const;
  /// The names of a step's kernels in the order of their launches.
  std::vector<std::string> kernels() const;
  /// For benchmarks: what the launches of one name take one after the other, in milliseconds a step and in the order of
  /// their first. Waits for the device; leaves the state above as it was and the cache with other numbers.
  std::vector<std::pair<std::string, float>> timeKernels(int repeats);

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace maskjit
