// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decode attention of one query a sequence, where sequences that begin with the same pages attend those together.
// Includes no MLIR header.
#pragma once
#include "compiler/Compiler.h"

namespace maskjit {

/// Two entries, the second of which joins what the first has written: compiler/device/attention/decode_shared.cuh.
/// Takes masks whose queries attend one interval of keys each, the same for all heads and without scores. `spec.phase`
/// is Decode. Errors: other masks, head dim 256, more than kSharedRows / 2 query heads a key head, and those of
/// emitCuda.
Result<CudaKernel> emitSharedDecode(const Mask &mask, const KernelSpec &spec);
Result<std::string> sharedDecodeKey(const Mask &mask, const KernelSpec &spec);

} // namespace maskjit
