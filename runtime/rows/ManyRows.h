// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Norms and rope of many rows on CUDA, on raw memory. Pointers are multiples of 16 bytes, rows contiguous.
#pragma once
#include "compiler/ManyRows.h"
#include "runtime/cache/KernelCache.h"

namespace maskjit {

/// residual += addend; out = residual / sqrt(mean(residual^2) + eps) * weight.
struct ResidualNormCall {
  DType dtype = DType::BF16; // of weight, out and a 16-bit addend
  int64_t rows = 0, features = 0;
  float *residual = nullptr;    // [rows, features]
  const void *addend = nullptr; // as residual; null: nothing is added
  bool wideAddend = false;      // the addend is fp32
  const void *weight = nullptr; // [features]
  void *out = nullptr;          // [rows, features]; null: not wanted
  float *wideOut = nullptr;     // the same in fp32; null: not wanted
  float *scale = nullptr;       // [rows] 1 / sqrt(..); null: not wanted
  float eps = 0;
};

/// Turns the pairs (x[i], x[i + D / 2]) of two tensors [rows, heads, D], as queries and keys are, by the same angles.
struct TurnCall {
  DType dtype = DType::BF16;
  int64_t rows = 0, headDim = 0;
  void *x[2] = {};
  int64_t heads[2] = {};                            // the second may have none
  const float *cosines = nullptr, *sines = nullptr; // [rows, D / 2]
};

/// Whether there is a kernel for these sizes on every architecture.
bool residualNormServes(int64_t features);
bool turnServes(int64_t headDim);

/// Launch on `stream` of the current context and return at once. The first call of a structure compiles or loads its
/// kernel. Errors: sizes and dtypes without kernels.
Result<void> residualNormCuda(const ResidualNormCall &call, void *stream);
Result<void> turnCuda(const TurnCall &call, void *stream);

/// The kernel file of `spec`, for KernelCache.
KernelRequest manyRowsRequest(const ManyRowsSpec &spec);

} // namespace maskjit
