// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights in 4 bits, dequantized: MXFP4 (OCP microscaling) and NF4 (bitsandbytes).
#pragma once
#include <ATen/core/Tensor.h>
#include <vector>

namespace maskjit {

/// `blocks` u8 [E, out, in / 32, 16], `scales` u8 [E, out, in / 32] -> [E, in, out] of `dtype`, on the device of
/// `blocks`, an expert at a time. Value = table[nibble] * 2^(scale - 127), low nibble first. Exact in bf16. Throws
/// std::runtime_error for the scale byte 255, which stands for NaN.
at::Tensor dequantizeMxfp4(const at::Tensor &blocks, const at::Tensor &scales, at::ScalarType dtype);

/// One matrix as bitsandbytes stores it.
struct Nf4 {
  at::Tensor codes;                     // u8, two values a byte, high nibble first
  at::Tensor table;                     // fp32 [16]
  at::Tensor absmax;                    // fp32, or u8 codes where it is quantized itself; one a block
  at::Tensor nestedTable, nestedAbsmax; // fp32 [256], fp32 one a nested block; undefined: absmax is fp32
  int64_t blockSize = 64, nestedBlockSize = 256;
  double nestedOffset = 0;
  std::vector<int64_t> shape;
};

/// fp32: table[code] * absmax of the value's block. Sizes have been checked by the caller.
at::Tensor dequantizeNf4(const Nf4 &weight);

} // namespace maskjit
