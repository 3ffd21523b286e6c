// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A [B, H, S, D] tensor of 16-bit numbers in one of the memory layouts that kernels must serve.
#pragma once
#include "Gpu.h"
#include "ReferenceAttention.h"
#include "compiler/device/attention_args.h"
#include <algorithm>
#include <cmath>

namespace maskjit::test {

enum class Layout {
  HeadsFirst, // contiguous
  RowsFirst,  // [B, S, H, D]
  Gaps,       // rows 16 bytes apart: still aligned
  Odd         // rows one element apart, and the first not aligned either
};

/// Memory between rows is poisoned with NaN on upload and must still be so afterwards.
class TensorLayout {
public:
  TensorLayout(Layout layout, int batch, int heads, int rows, int headDim)
      : batch(batch), heads(heads), rows(rows), headDim(headDim) {
    const long long pitch = headDim + (layout == Layout::Gaps ? 8 : layout == Layout::Odd ? 1 : 0);
    start = layout == Layout::Odd ? 1 : 0;
    rowStride = layout == Layout::RowsFirst ? heads * pitch : pitch;
    headStride = layout == Layout::RowsFirst ? pitch : rows * pitch;
    batchStride = heads * rows * pitch;
    elements = size_t(start + batch * batchStride);
  }
  std::vector<uint16_t> poisoned() const { return std::vector<uint16_t>(elements, 0xffff); }
  std::vector<uint16_t> encode(DType dtype, const std::vector<float> &dense) const {
    std::vector<uint16_t> to = poisoned();
    forEach([&](size_t at, size_t i) { to[at] = std::isnan(dense[i]) ? 0xffff : roundTo(dtype, dense[i]); });
    return to;
  }
  std::vector<double> decode(DType dtype, const std::vector<uint16_t> &from) const {
    std::vector<double> dense(size_t(batch) * heads * rows * headDim);
    forEach([&](size_t at, size_t i) { dense[i] = valueOf(dtype, from[at]); });
    return dense;
  }
  /// What lies between the rows has not been written.
  bool gapsIntact(const std::vector<uint16_t> &memory) const {
    std::vector<bool> used(elements);
    forEach([&](size_t at, size_t) { used[at] = true; });
    for (size_t i = 0; i < elements; ++i)
      if (!used[i] && memory[i] != 0xffff)
        return false;
    return true;
  }
  device::Tensor on(const DeviceBuffer &buffer) const {
    return {buffer.as<uint16_t>() + start, batchStride, headStride, rowStride};
  }

private:
  template <class Visit> void forEach(Visit visit) const {
    size_t i = 0;
    for (int b = 0; b < batch; ++b)
      for (int h = 0; h < heads; ++h)
        for (int s = 0; s < rows; ++s)
          for (int c = 0; c < headDim; ++c)
            visit(size_t(start + b * batchStride + h * headStride + s * rowStride + c), i++);
  }
  int batch, heads, rows, headDim;
  long long start, batchStride, headStride, rowStride;
  size_t elements;
};

} // namespace maskjit::test
