// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors checked and turned into AttentionArgs.
#pragma once
#include "runtime/attention/Attention.h"
#include "runtime/torch/KnownMask.h"
#include <ATen/core/Tensor.h>
#include <optional>

namespace maskjit::torch_ops {

/// What every operator here takes besides its own tensors.
struct MaskCall {
  std::string_view mask;
  at::TensorList params;
  std::optional<double> scale;
};

/// Checks dtypes, ranks, devices and the number of parameters: what is known without sizes, so that a traced call with
/// symbolic sizes adds no guards. `keys`, `values`: k and v, or their pages.
void checkKinds(const KnownMask &mask, const at::Tensor &q, const at::Tensor &keys, const at::Tensor &values,
                const std::optional<at::Tensor> &sinks, at::TensorList params);
void checkPageKinds(const at::Tensor &q, const at::Tensor &pageTable, const at::Tensor &kvLen);

/// Arguments of a call on k, v; `sinks` as fp32 (sinksAsFloat). The outputs are not set.
AttentionArgs makeArgs(KnownMask &mask, const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                       const std::optional<at::Tensor> &sinks, const MaskCall &call);
/// The same on pages of keys and values.
AttentionArgs makeCachedArgs(KnownMask &mask, const at::Tensor &q, const at::Tensor &kPages, const at::Tensor &vPages,
                             const at::Tensor &pageTable, const at::Tensor &kvLen,
                             const std::optional<at::Tensor> &sinks, const MaskCall &call);

std::optional<at::Tensor> sinksAsFloat(const std::optional<at::Tensor> &sinks);
TensorView viewOf(const at::Tensor &tensor);

} // namespace maskjit::torch_ops
