// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A linear layer on CUDA with its weight in NF4, on raw memory.
#pragma once
#include "compiler/LinearNf4.h"
#include "runtime/cache/KernelCache.h"

namespace maskjit {

/// A matrix [features, in] as bitsandbytes stores it, blocks of 64 weights, nested blocks of 256. Pointers to device
/// memory; `codes` at a multiple of 16 bytes.
struct Nf4View {
  const void *codes = nullptr;         // u8 [features, in / 2], the even feature in the high nibble
  const float *table = nullptr;        // [16]
  const void *absmax = nullptr;        // [features * in / 64]: fp32, or u8 with the nested ones below
  const float *nestedTable = nullptr;  // [256]; null: absmax is fp32
  const float *nestedAbsmax = nullptr; // [features * in / 64 / 256, rounded up]
  const float *nestedOffset = nullptr; // [1]
};

/// out = x W^T + bias, each weight rounded to `dtype` as a dequantized matrix would be, sums in fp32. `gradient`: of
/// the input, out [rows, in] = x [rows, features] W with the same weights bit for bit; bf16 on sm_90a.
struct LinearNf4Call {
  bool gradient = false;
  DType dtype = DType::BF16; // of x, bias and out
  int64_t rows = 0, in = 0, features = 0;
  const void *x = nullptr; // [rows, in], contiguous, at a multiple of 16 bytes
  Nf4View weight;
  const void *bias = nullptr; // [features]; null: none
  void *out = nullptr;        // [rows, features], contiguous, at a multiple of 16 bytes
  /// The kernel before on the stream does not write the weight: from sm_90 on its codes are read while that one ends.
  bool frozen = false;
};

/// Whether there is a kernel for these sizes on any architecture: `in` is a multiple of 64, `features` of 8.
bool linearNf4Serves(int64_t in, int64_t features);
/// Whether the current context's device has a kernel for the gradient of the input.
bool linearNf4GradientServes(int64_t in, int64_t features, DType dtype);

/// Launches on `stream` of the current context and returns at once. The first call of a structure compiles or loads its
/// kernel. Errors: sizes and dtypes without kernels, pointers that are not aligned.
Result<void> linearNf4Cuda(const LinearNf4Call &call, void *stream);

/// The kernel file of `spec`, for KernelCache.
KernelRequest linearNf4Request(const LinearNf4Spec &spec);

} // namespace maskjit
