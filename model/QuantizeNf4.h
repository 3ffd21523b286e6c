// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// NF4 with double quantization as bitsandbytes makes it, bit for bit on the CPU.
#pragma once
#include "model/Quantized.h"

namespace maskjit {

/// `matrix` [out, in], fp32 or bf16, to blocks of 64 whose scales are 8-bit codes in blocks of 256. Runs on the
/// matrix's device. The values that it stands for are rounded to the matrix's dtype.
Nf4 quantizeNf4(const at::Tensor &matrix);

/// One stack of the stacks' matrices, all of one shape.
Nf4 stackNf4(const std::vector<Nf4> &parts);

} // namespace maskjit
