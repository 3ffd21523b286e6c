// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The load-balancing loss of a mixture of experts.
#pragma once
#include <ATen/core/Tensor.h>
#include <vector>

namespace maskjit::rl {

/// Switch Transformer's auxiliary loss (arXiv:2101.03961, equations 4-6) over all layers together, as transformers
/// computes it: experts * sum over experts of (share of tokens sent there) * (mean router probability).
/// routerLogits: a layer [B, T, experts]; attentionMask [B, T], undefined: all tokens count. Scalar, fp32.
at::Tensor routerLoss(const std::vector<at::Tensor> &routerLogits, const at::Tensor &attentionMask,
                      int64_t expertsPerToken);

} // namespace maskjit::rl
