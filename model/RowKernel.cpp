// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The terms of each element are added in one fixed order, so blocking over rows, columns and threads cannot change it.
// A panel of kPanel columns of the weights is copied into [in, kPanel] order once and multiplied by blocks of rows.
#include "model/RowKernel.h"
#include "runtime/cpu/ThreadPool.h"
#include <algorithm>
#include <cstring>

namespace maskjit {
namespace {

constexpr int64_t kPanel = kPanelColumns;
constexpr int64_t kChunkRows = 256; // rows that share a copied panel
constexpr int64_t kTerms = 16;      // products summed on their own: rounding errors grow with the length of a sum
constexpr int64_t kWorthThreads = int64_t(1) << 19; // multiply-adds; below, waking a thread costs more than it saves

/// kRows rows of x times the panel.
template <int kLanes, int kRows>
[[gnu::always_inline]] inline void multiplyBlock(const float *x, int64_t in, const float *panel, const float *bias,
                                                 float *y, int64_t out, int64_t width) {
  typedef float Vector __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float))));
  constexpr int kVectors = kPanel / kLanes;
  Vector total[kRows][kVectors];
  for (int r = 0; r < kRows; ++r)
    std::memcpy(total[r], bias, sizeof(total[r]));
  for (int64_t begin = 0; begin < in; begin += kTerms) {
    Vector sum[kRows][kVectors] = {};
    const int64_t end = std::min(begin + kTerms, in);
    for (int64_t k = begin; k < end; ++k) {
      Vector w[kVectors];
      std::memcpy(w, panel + k * kPanel, sizeof(w));
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v)
          sum[r][v] += x[r * in + k] * w[v];
    }
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v)
        total[r][v] += sum[r][v];
  }
  for (int r = 0; r < kRows; ++r)
    std::memcpy(y + r * out, total[r], sizeof(float) * width);
}

template <int kLanes, int kRows>
[[gnu::always_inline]] inline void multiplyPanel(const RowProduct &p, int64_t column, int64_t begin, int64_t end,
                                                 const float *panel, const float *bias) {
  const int64_t width = std::min(kPanel, p.out - column);
  int64_t row = begin;
  for (; row + kRows <= end; row += kRows)
    multiplyBlock<kLanes, kRows>(p.x + row * p.in, p.in, panel, bias, p.y + row * p.out + column, p.out, width);
  for (; row < end; ++row)
    multiplyBlock<kLanes, 1>(p.x + row * p.in, p.in, panel, bias, p.y + row * p.out + column, p.out, width);
}

using MultiplyPanel = void (*)(const RowProduct &, int64_t column, int64_t begin, int64_t end, const float *panel,
                               const float *bias);

// Rows a block: as many as the registers hold sums of kPanel columns for.
void multiplyPanelBaseline(const RowProduct &p, int64_t column, int64_t begin, int64_t end, const float *panel,
                           const float *bias) {
  multiplyPanel<4, 1>(p, column, begin, end, panel, bias);
}

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) void multiplyPanelAvx2(const RowProduct &p, int64_t column, int64_t begin,
                                                           int64_t end, const float *panel, const float *bias) {
  multiplyPanel<8, 3>(p, column, begin, end, panel, bias);
}
__attribute__((target("avx512f"))) void multiplyPanelAvx512(const RowProduct &p, int64_t column, int64_t begin,
                                                            int64_t end, const float *panel, const float *bias) {
  multiplyPanel<16, 8>(p, column, begin, end, panel, bias);
}
#endif

MultiplyPanel chooseMultiplyPanel() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f"))
    return multiplyPanelAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return multiplyPanelAvx2;
#endif
  return multiplyPanelBaseline;
}

/// One panel of one product, some of its rows.
struct Item {
  const RowProduct *product;
  int64_t column, begin, end;
};

void compute(const Item &item, MultiplyPanel multiply) {
  thread_local std::vector<float> panel;
  const RowProduct &p = *item.product;
  const int64_t width = std::min(kPanel, p.out - item.column);
  panel.resize(std::max<int64_t>(p.in, 1) * kPanel);
  if (width < kPanel)
    std::memset(panel.data(), 0, sizeof(float) * p.in * kPanel);
  p.weight(item.column, width, panel.data());
  float bias[kPanel] = {};
  if (p.bias)
    std::memcpy(bias, p.bias + item.column, sizeof(float) * width);
  multiply(p, item.column, item.begin, item.end, panel.data(), bias);
}

} // namespace

PanelReader stridedPanels(const float *w, int64_t in, int64_t rowStride, int64_t columnStride) {
  return [=](int64_t column, int64_t width, float *panel) {
    const float *from = w + column * columnStride;
    if (columnStride == 1) {
      for (int64_t k = 0; k < in; ++k)
        std::memcpy(panel + k * kPanel, from + k * rowStride, sizeof(float) * width);
      return;
    }
    for (int64_t k = 0; k < in; ++k)
      for (int64_t j = 0; j < width; ++j)
        panel[k * kPanel + j] = from[k * rowStride + j * columnStride];
  };
}

void computeRowProducts(const std::vector<RowProduct> &products) {
  static const MultiplyPanel multiply = chooseMultiplyPanel();
  std::vector<Item> items;
  int64_t work = 0;
  for (const RowProduct &p : products) {
    for (int64_t begin = 0; begin < p.rows; begin += kChunkRows)
      for (int64_t column = 0; column < p.out; column += kPanel)
        items.push_back({&p, column, begin, std::min(begin + kChunkRows, p.rows)});
    work += p.rows * p.in * p.out;
  }
  const auto run = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      compute(items[i], multiply);
  };
  parallelFor(items.size(), run, work < kWorthThreads ? 1 : 0);
}

} // namespace maskjit
