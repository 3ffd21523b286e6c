// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Draws the next token of each running sequence: by a model's forward pass, or by the compiled step of a GPU.
#pragma once
#include "model/GptOss.h"
#include "model/Sampling.h"
#include <c10/core/Event.h>
#include <memory>
#include <optional>

namespace maskjit {

/// A sequence that starts in a slot whose keys are in the cache; its first token has been drawn.
struct Started {
  int64_t slot = 0, length = 0; // keys in the cache
  uint64_t number = 0;          // of the sequence in the random draws
  int64_t token = 0;            // the one drawn, to feed next
  const std::vector<int64_t> *prompt = nullptr;
};

/// The tokens of one step, perhaps still on their way from the device.
class Drawn {
public:
  std::vector<int64_t> slots; // that took part
  at::Tensor tokens;          // int32 or int64; entry `places[i]` belongs to slots[i]
  at::Tensor logProbs;        // fp32
  std::vector<int64_t> places;
  std::optional<c10::Event> ready;

  void wait() {
    if (ready)
      ready->synchronize();
  }
};

class Decoder {
public:
  virtual ~Decoder() = default;
  virtual void start(const Started &sequence) = 0;
  virtual void stop(int64_t slot) = 0;
  /// One step of these slots. What it writes to the cache is behind what was there.
  virtual Drawn step(const std::vector<int64_t> &slots) = 0;
  /// Steps that may be under way while the tokens of an earlier one are looked at.
  virtual int64_t ahead() const = 0;

  /// Which of the two, and why, for the user to read.
  static std::string kind(const GptOss &model, bool batchInvariant = false);
  /// The compiled step where it can run this model, else the forward pass. `cache` has at least `slots` slots; the
  /// first of them are the decoder's. `batchInvariant`: as GenerateOptions says, of which a
  /// cache of the model's most positions is the other half. `sharesPrompts`: slots may begin with the same pages, which
  /// the step then attends once for all where that pays; never with `batchInvariant`.
  static std::unique_ptr<Decoder> make(const GptOss &model, KvCache &cache, int64_t slots,
                                       const SamplingOptions &sampling, bool batchInvariant = false,
                                       bool sharesPrompts = false);
};

} // namespace maskjit
