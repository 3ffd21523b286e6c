// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Matrix products in fp32 on the CPU whose every row is computed alike, whatever stands beside it.
#pragma once
#include <cstdint>
#include <vector>

namespace maskjit {

/// y[i, j] = bias[j] + sum over k of x[i, k] * w[k * wRow + j * wColumn]; x [rows, in] and y [rows, out]
/// are contiguous; bias null: 0.
struct RowProduct {
  int64_t rows, in, out;
  const float *x, *w;
  int64_t wRow, wColumn;
  const float *bias;
  float *y;
};

/// Computes all of them on the threads of the process-wide pool. Uses AVX-512 or AVX2 with FMA where there is one.
void computeRowProducts(const std::vector<RowProduct> &products);

} // namespace maskjit
