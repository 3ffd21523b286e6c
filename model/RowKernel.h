// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Matrix products in fp32 on the CPU whose every row is computed alike, whatever stands beside it.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

namespace maskjit {

constexpr int64_t kPanelColumns = 32;

/// Writes w[k, column + j] to panel[k * kPanelColumns + j] for all k and j < width; what stands past width stays 0.
/// `column` is a multiple of kPanelColumns. However a weight is held, its panel is the same numbers.
using PanelReader = std::function<void(int64_t column, int64_t width, float *panel)>;
/// Of w[k * rowStride + j * columnStride], k < in.
PanelReader stridedPanels(const float *w, int64_t in, int64_t rowStride, int64_t columnStride);

/// y[i, j] = bias[j] + sum over k of x[i, k] * w[k, j]; x [rows, in] and y [rows, out] are contiguous; bias null: 0.
struct RowProduct {
  int64_t rows, in, out;
  const float *x;
  PanelReader weight;
  const float *bias;
  float *y;
};

/// Computes all of them on the threads of the process-wide pool. Uses AVX-512 or AVX2 with FMA where there is one.
void computeRowProducts(const std::vector<RowProduct> &products);

} // namespace maskjit
