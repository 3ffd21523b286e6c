// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Table look-ups by which 4-bit weights become numbers.
#include "model/Quantized.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <algorithm>
#include <array>
#include <cmath>

namespace maskjit {
namespace {

/// [256, 2]: the two values of a byte, in order. `first`: the shift of the nibble that comes first.
at::Tensor pairTable(const at::Tensor &values, int first) {
  const at::Tensor bytes = at::arange(256, values.options().dtype(at::kLong));
  const at::Tensor low = at::bitwise_and(bytes, 15), high = bytes.div(16, "floor");
  return at::stack({values.index_select(0, first ? high : low), values.index_select(0, first ? low : high)}, 1);
}

/// Each of [.., blocks] `blockSize` times, the first `count` of them.
at::Tensor spread(const at::Tensor &scales, int64_t blockSize, int64_t count) {
  return scales.repeat_interleave(blockSize, -1).narrow(-1, 0, count);
}

} // namespace

at::Tensor dequantize(const Mxfp4 &weight, int64_t index, at::ScalarType dtype) {
  const int64_t out = weight.outputs(), groups = weight.blocks.size(2);
  std::array<float, 256> powers;
  for (int byte = 0; byte < 256; ++byte)
    powers[byte] = std::ldexp(1.f, byte - 127);
  const at::Device device = weight.blocks.device();
  const at::Tensor pairs = pairTable(at::tensor(at::ArrayRef<float>(kMxfp4Values)).to(device), 0);
  const at::Tensor powerOf = at::tensor(at::ArrayRef<float>(powers)).to(device);
  const at::Tensor values = pairs.index_select(0, weight.blocks[index].flatten().to(at::kInt)).view({out, groups, 32});
  const at::Tensor scale = powerOf.index_select(0, weight.scales[index].flatten().to(at::kInt));
  return (values * scale.view({out, groups, 1})).view({out, groups * 32}).to(dtype);
}

at::Tensor blockScales(const Nf4 &weight) {
  if (!weight.nestedTable.defined())
    return weight.absmax;
  const int64_t blocks = weight.absmax.size(1);
  const at::Tensor values = weight.nestedTable.index_select(0, weight.absmax.flatten().to(at::kInt));
  return values.view(weight.absmax.sizes()) * spread(weight.nestedAbsmax, weight.nestedBlockSize, blocks) +
         weight.nestedOffset.unsqueeze(1);
}

at::Tensor dequantize(const Nf4 &weight, int64_t index, at::ScalarType dtype) {
  Nf4 one = weight;
  one.absmax = weight.absmax.narrow(0, index, 1);
  if (weight.nestedTable.defined()) {
    one.nestedAbsmax = weight.nestedAbsmax.narrow(0, index, 1);
    one.nestedOffset = weight.nestedOffset.narrow(0, index, 1);
  }
  const int64_t count = weight.outputs * weight.inputs;
  const at::Tensor pairs = pairTable(weight.table, 4);
  const at::Tensor values = pairs.index_select(0, weight.codes[index].to(at::kInt)).flatten().narrow(0, 0, count);
  return (values * spread(blockScales(one)[0], weight.blockSize, count))
      .to(weight.rounding)
      .to(dtype)
      .view({weight.outputs, weight.inputs});
}

Mxfp4 randomMxfp4(int64_t experts, int64_t inputs, int64_t outputs, double deviation, at::Device device) {
  constexpr double kTableDeviation = 2.92; // of the 16 values, each as likely
  const auto options = at::TensorOptions(at::kByte).device(device);
  const int64_t scale = std::clamp<int64_t>(127 + std::lround(std::log2(deviation / kTableDeviation)), 1, 254);
  Mxfp4 weight;
  weight.blocks = at::empty({experts, outputs, inputs / 32, 16}, options).random_(0, 256);
  weight.scales = at::full({experts, outputs, inputs / 32}, scale, options);
  return weight;
}

} // namespace maskjit
