// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights in 4 bits as checkpoints hold them: MXFP4 (OCP microscaling) and NF4 (bitsandbytes), and their values.
#pragma once
#include <ATen/core/Tensor.h>

namespace maskjit {

/// A stack of matrices in the released layout. Value = table[nibble] * 2^(scale - 127), low nibble first.
struct Mxfp4 {
  at::Tensor blocks; // u8 [E, out, in / 32, 16]
  at::Tensor scales; // u8 [E, out, in / 32]; never 255, which stands for NaN

  int64_t matrices() const { return blocks.size(0); }
  int64_t outputs() const { return blocks.size(1); }
  int64_t inputs() const { return blocks.size(2) * 32; }
};

/// A stack of matrices [out, in], each quantized by itself over its flattened values as bitsandbytes does.
struct Nf4 {
  at::Tensor codes;        // u8 [E, (out * in + 1) / 2], two values a byte, high nibble first
  at::Tensor table;        // fp32 [16]
  at::Tensor absmax;       // [E, blocks]: fp32, or u8 codes where it is quantized itself
  at::Tensor nestedTable;  // fp32 [256]; undefined: absmax is fp32
  at::Tensor nestedAbsmax; // fp32 [E, nested blocks]
  at::Tensor nestedOffset; // fp32 [E]
  int64_t outputs = 0, inputs = 0;
  int64_t blockSize = 64, nestedBlockSize = 256;
  /// What each value is rounded to before anything multiplies by it: the dtype of the layer that was quantized.
  at::ScalarType rounding = at::kFloat;

  int64_t matrices() const { return codes.size(0); }
};

/// Matrix `index` of the stack as [out, in] of `dtype`, on the weights' device. MXFP4 is exact in bf16.
at::Tensor dequantize(const Mxfp4 &weight, int64_t index, at::ScalarType dtype);
at::Tensor dequantize(const Nf4 &weight, int64_t index, at::ScalarType dtype);

/// Scale of each block, fp32 [E, blocks].
at::Tensor blockScales(const Nf4 &weight);

/// Uniform random nibbles under one scale, so that the values' standard deviation is about `deviation`.
Mxfp4 randomMxfp4(int64_t experts, int64_t inputs, int64_t outputs, double deviation, at::Device device);

/// The 16 values of an MXFP4 nibble.
constexpr float kMxfp4Values[16] = {0.f,  .5f,  1.f,  1.5f,  2.f,  3.f,  4.f,  6.f,
                                    -0.f, -.5f, -1.f, -1.5f, -2.f, -3.f, -4.f, -6.f};

} // namespace maskjit
