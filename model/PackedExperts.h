// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Experts on CUDA whose weights stay in MXFP4, with adapters beside them. Nothing waits for the host.
#pragma once
#include "model/Experts.h"

namespace maskjit {

/// Whether packedExperts takes this call: MXFP4 on a GPU, 16-bit activations, sizes of at most 128 experts, biases that
/// ask for no gradient.
bool takesPackedExperts(const at::Tensor &x, const LayerWeights &weights);
/// As runExperts, fp32.
at::Tensor packedExperts(const at::Tensor &x, const Routing &routing, const LayerWeights &weights, const Config &config,
                         const ExpertLora &lora);

} // namespace maskjit
