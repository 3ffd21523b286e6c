// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A checkpoint written again with weights in NF4, as bitsandbytes stores them; a tensor in memory at a time.
#pragma once
#include "model/ShardWriter.h"
#include "model/Transfer.h"

namespace maskjit {

enum class ExpertFormat { Bf16, Nf4 };

/// Attention in NF4. Experts in BF16: transformers loads it; in NF4: one by one as linear layers, the layout of
/// community checkpoints. Copies tokenizer and templates. Throws std::runtime_error if `from` holds its attention in 4
/// bits already.
void quantizeCheckpoint(const std::string &from, const std::string &to, ExpertFormat experts,
                        const LoadProgress &progress);

} // namespace maskjit
