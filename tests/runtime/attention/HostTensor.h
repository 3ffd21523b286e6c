// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A [B, H, S, D] tensor in memory, of any dtype and strides.
#pragma once
#include "runtime/attention/Attention.h"
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace maskjit::test {

inline float roundTo(DType dtype, float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if (dtype == DType::F16)
    return float(_Float16(x));
  if (dtype == DType::BF16)
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
  std::memcpy(&x, &bits, 4);
  return x;
}

struct HostTensor {
  DType dtype = DType::F32;
  int64_t batch = 0, heads = 0, length = 0, dim = 0;
  TensorView view;
  std::vector<std::byte> memory; // what lies between the rows is NaN

  HostTensor() = default;
  /// Contiguous, but for `gap` elements after each row; `seqFirst`: [B, S, H, D] in memory.
  HostTensor(DType dtype, int64_t batch, int64_t heads, int64_t length, int64_t dim, int64_t gap = 0,
             bool seqFirst = false)
      : dtype(dtype), batch(batch), heads(heads), length(length), dim(dim) {
    const int64_t row = dim + gap;
    view.seqStride = seqFirst ? heads * row : row;
    view.headStride = seqFirst ? row : length * row;
    view.batchStride = heads * length * row;
    memory.assign(std::max<int64_t>(1, batch * view.batchStride) * bytes(), std::byte(0xff)); // NaN in each dtype
    view.data = memory.data();
  }
  HostTensor(HostTensor &&) = default;
  HostTensor &operator=(HostTensor &&) = default;

  int64_t bytes() const { return dtype == DType::F32 ? 4 : 2; }
  std::byte *at(int64_t b, int64_t h, int64_t s, int64_t d) {
    return memory.data() + (b * view.batchStride + h * view.headStride + s * view.seqStride + d) * bytes();
  }
  float get(int64_t b, int64_t h, int64_t s, int64_t d) const {
    const std::byte *from = const_cast<HostTensor *>(this)->at(b, h, s, d);
    if (dtype == DType::F16) {
      _Float16 half;
      std::memcpy(&half, from, 2);
      return float(half);
    }
    uint32_t bits = 0;
    if (dtype == DType::F32)
      std::memcpy(&bits, from, 4);
    else
      std::memcpy(reinterpret_cast<std::byte *>(&bits) + 2, from, 2);
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
  }
  void set(int64_t b, int64_t h, int64_t s, int64_t d, float x) {
    x = roundTo(dtype, x);
    if (dtype == DType::F16) {
      _Float16 half = _Float16(x);
      std::memcpy(at(b, h, s, d), &half, 2);
    } else if (dtype == DType::F32) {
      std::memcpy(at(b, h, s, d), &x, 4);
    } else {
      std::memcpy(at(b, h, s, d), reinterpret_cast<std::byte *>(&x) + 2, 2);
    }
  }
  template <class F> void forEach(F fn) const {
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t s = 0; s < length; ++s)
          for (int64_t d = 0; d < dim; ++d)
            fn(b, h, s, d);
  }
  void fillNormal(std::mt19937_64 &random) {
    std::normal_distribution<float> normal;
    forEach([&](int64_t b, int64_t h, int64_t s, int64_t d) { set(b, h, s, d, normal(random)); });
  }
  /// Row-major values of the logical tensor.
  std::vector<float> values() const {
    std::vector<float> all;
    forEach([&](int64_t b, int64_t h, int64_t s, int64_t d) { all.push_back(get(b, h, s, d)); });
    return all;
  }
};

} // namespace maskjit::test
