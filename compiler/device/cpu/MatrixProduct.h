// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// C[i][j] (+)= sum over t of A(i, t) * B[t][j]: the one matrix product that all kernels are made of.
#pragma once
#include "compiler/device/cpu/Vector.h"

namespace maskjit::cpu {

/// Element (i, t) is data[i * row + t * step]: a matrix, or its transpose.
struct Left {
  const float *data;
  int64_t row, step;
};

/// kRows x kVecs vectors of C in registers. One chain of additions an element, in the order of t, in every variant:
/// a row's result does not depend on how many rows are computed with it. The chain starts at 0 and C is added last:
/// tile by tile, long sums lose less.
template <int kRows, int kVecs>
__attribute__((noinline)) void productBlock(Left a, const float *b, int64_t bStep, float *c, int64_t cRow,
                                            int64_t steps, bool accumulate) {
  Vec sum[kRows][kVecs];
#pragma clang loop unroll(full)
  for (int i = 0; i < kRows; ++i)
#pragma clang loop unroll(full)
    for (int j = 0; j < kVecs; ++j)
      sum[i][j] = Vec{};
#pragma clang loop unroll(disable)
  for (int64_t t = 0; t < steps; ++t) {
    Vec right[kVecs];
#pragma clang loop unroll(full)
    for (int j = 0; j < kVecs; ++j)
      right[j] = load(b + t * bStep + j * kLanes);
#pragma clang loop unroll(full)
    for (int i = 0; i < kRows; ++i) {
      Vec left = splat(a.data[i * a.row + t * a.step]);
#pragma clang loop unroll(full)
      for (int j = 0; j < kVecs; ++j)
        sum[i][j] += left * right[j];
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < kRows; ++i)
#pragma clang loop unroll(full)
    for (int j = 0; j < kVecs; ++j)
      store(c + i * cRow + j * kLanes, accumulate ? load(c + i * cRow + j * kLanes) + sum[i][j] : sum[i][j]);
}

/// columns: a multiple of 32.
template <int kRows, int kVecs>
MASKJIT_INLINE void productRows(Left a, const float *b, int64_t bStep, float *c, int64_t cRow, int64_t rows,
                                int64_t columns, int64_t steps, bool accumulate) {
  for (int64_t j = 0; j < columns; j += kVecs * kLanes) {
    int64_t i = 0;
    auto block = [&](auto function) {
      function({a.data + i * a.row, a.row, a.step}, b + j, bStep, c + i * cRow + j, cRow, steps, accumulate);
    };
    for (; i + kRows <= rows; i += kRows)
      block(productBlock<kRows, kVecs>);
    for (; i + 4 <= rows; i += 4)
      block(productBlock<4, kVecs>);
    for (; i < rows; ++i)
      block(productBlock<1, kVecs>);
  }
}

__attribute__((noinline)) inline void product(Left a, const float *b, int64_t bStep, float *c, int64_t cRow,
                                              int64_t rows, int64_t columns, int64_t steps, bool accumulate) {
  // 16 of 32 registers of 64 bytes, or 8 of 16 of 32 bytes: enough additions under way for two units of latency 4.
  if (maskjit_wide())
    productRows<8, 2>(a, b, bStep, c, cRow, rows, columns, steps, accumulate);
  else
    productRows<4, 1>(a, b, bStep, c, cRow, rows, columns, steps, accumulate);
}

} // namespace maskjit::cpu
