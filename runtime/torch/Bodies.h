// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the operators do on every device: check, allocate the results, run. A device brings its own `run`.
#pragma once
#include "runtime/torch/Arguments.h"
#include <c10/util/FunctionRef.h>
#include <tuple>

namespace maskjit::torch_ops {

using Run = c10::function_ref<Result<void>(const Mask &, const AttentionArgs &)>;

std::tuple<at::Tensor, at::Tensor> forward(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                                           const std::optional<at::Tensor> &sinks, const MaskCall &call, Run run);

std::tuple<at::Tensor, at::Tensor> forwardCached(const at::Tensor &q, const at::Tensor &kPages,
                                                 const at::Tensor &vPages, const at::Tensor &pageTable,
                                                 const at::Tensor &kvLen, const std::optional<at::Tensor> &sinks,
                                                 const MaskCall &call, Run run);

/// dq, dk, dv and dsinks; the last is empty if there are no sinks.
std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> backward(const at::Tensor &dout, const at::Tensor &q,
                                                                    const at::Tensor &k, const at::Tensor &v,
                                                                    const std::optional<at::Tensor> &sinks,
                                                                    const at::Tensor &out, const at::Tensor &lse,
                                                                    const MaskCall &call, Run run);

} // namespace maskjit::torch_ops
