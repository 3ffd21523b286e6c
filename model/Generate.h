// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Generation of sequences with a KV cache: prefill, then a token a step until every sequence has stopped.
#pragma once
#include "model/GptOss.h"
#include "model/Sampling.h"
#include <functional>

namespace maskjit {

struct GenerateOptions {
  SamplingOptions sampling;
  int64_t maxNewTokens = 128;
  /// A sequence ends with the first of these, which is its last token. Empty: the model's eosTokenIds.
  std::vector<int64_t> stopTokens;
  bool ignoreStops = false; // run to maxNewTokens
  /// The number that stands for each prompt in the random draws. Empty: 0, 1, 2, ... Equal numbers under the same seed
  /// draw the same, so give every sequence of a run its own.
  std::vector<uint64_t> sequences;
  int64_t slots = 256;          // sequences that run at once; the others wait for one to end
  int64_t prefillTokens = 4096; // of prompts, computed at once; longer ones come in pieces
  int64_t cacheTokens = 0;      // that full layers have memory for; 0: enough for all slots
  /// A sequence's tokens and log-probabilities do not depend, bit for bit, on the other prompts, their number or order:
  /// each prompt is computed alone, and every step has all `slots`, occupied or not (on `slots`, of which there are 8
  /// at least, they do depend).
  bool batchInvariant = false;
};

struct Generation {
  std::vector<int64_t> tokens; // without the prompt, with the stop token
  std::vector<float> logProbs; // a token, at the sampling temperature (see Sample::logProbs)
  bool finished = false;       // ended by a stop token, not by length
};

/// Called for each token as it is drawn, in the order of prompts; false stops the generation of all.
using TokenCallback = std::function<bool(size_t prompt, int64_t token, float logProb)>;

/// Prompts are token ids, each not empty. Results in the order of prompts. A sequence's tokens depend on its own
/// prompt, seed and number; a sequence that has stopped makes room for the next. Equal prompts that follow each other
/// are computed once, and sequences that continue a long one attend it together (on a GPU, not with batchInvariant), so
/// that log-probabilities differ in the last bits from those of a sequence alone.
std::vector<Generation> generate(const GptOss &model, const std::vector<std::vector<int64_t>> &prompts,
                                 const GenerateOptions &options, const TokenCallback &callback = {});

} // namespace maskjit
