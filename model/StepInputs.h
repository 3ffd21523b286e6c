// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model and its cache as a decode step of the compiler sees them: structure, and memory by name.
#pragma once
#include "model/GptOss.h"
#include "runtime/step/Step.h"

namespace maskjit {

/// Of the full layers' mask among those of stepSpecOf.
inline constexpr int kFullMaskNumber = 1;
/// The structure of `model` and how its experts are held; its masks are those of the attention layers.
StepSpec stepSpecOf(const GptOss &model, double ropeScale, int64_t slots);

/// Weights and pages by the names that the step's description gives them. Tensors that had to be converted are kept in
/// `kept`.
StepInputs stepInputsOf(const GptOss &model, const KvCache &cache, std::vector<at::Tensor> &kept);

/// Why the weights cannot be read by the step's kernels; empty: they can.
std::string unfitWeights(const GptOss &model);

} // namespace maskjit
