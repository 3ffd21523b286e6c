// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention on a GPU with operands in host memory: for tools and tests, which have no tensors on a device.
#pragma once
#include "runtime/attention/Attention.h"

namespace maskjit {

/// As attentionForwardCuda and attentionBackwardCuda, but every pointer of `args` is host memory: copies in, runs on
/// GPU `device` and copies the results back. `args.pages` too is read on the host.
Result<void> attentionForwardCudaFromHost(const Mask &mask, const AttentionArgs &args, int device = 0);
Result<void> attentionBackwardCudaFromHost(const Mask &mask, const AttentionArgs &args, int device = 0);

} // namespace maskjit
