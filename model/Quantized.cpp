// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Table look-ups by which 4-bit weights become numbers.
#include "model/Quantized.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <array>
#include <cmath>
#include <stdexcept>

namespace maskjit {
namespace {

/// [256, 2]: the two values of a byte, in order. `first`: the shift of the nibble that comes first.
at::Tensor pairTable(const at::Tensor &values, int first) {
  const at::Tensor bytes = at::arange(256, values.options().dtype(at::kLong));
  const at::Tensor low = at::bitwise_and(bytes, 15), high = bytes.div(16, "floor");
  return at::stack({values.index_select(0, first ? high : low), values.index_select(0, first ? low : high)}, 1);
}

} // namespace

at::Tensor dequantizeMxfp4(const at::Tensor &blocks, const at::Tensor &scales, at::ScalarType dtype) {
  const int64_t experts = blocks.size(0), out = blocks.size(1), groups = blocks.size(2);
  if ((scales == 255).any().item<bool>())
    throw std::runtime_error("holds the scale byte 255, which is no number");
  constexpr std::array<float, 16> kValues = {0.f,  .5f,  1.f,  1.5f,  2.f,  3.f,  4.f,  6.f,
                                             -0.f, -.5f, -1.f, -1.5f, -2.f, -3.f, -4.f, -6.f};
  std::array<float, 256> powers;
  for (int byte = 0; byte < 256; ++byte)
    powers[byte] = std::ldexp(1.f, byte - 127);
  const at::Device device = blocks.device();
  const at::Tensor pairs = pairTable(at::tensor(at::ArrayRef<float>(kValues)).to(device), 0);
  const at::Tensor powerOf = at::tensor(at::ArrayRef<float>(powers)).to(device);
  at::Tensor result = at::empty({experts, groups * 32, out}, blocks.options().dtype(dtype));
  for (int64_t e = 0; e < experts; ++e) {
    const at::Tensor values = pairs.index_select(0, blocks[e].flatten().to(at::kInt)).view({out, groups, 32});
    const at::Tensor scale = powerOf.index_select(0, scales[e].flatten().to(at::kInt)).view({out, groups, 1});
    result[e].copy_((values * scale).view({out, groups * 32}).t());
  }
  return result;
}

at::Tensor dequantizeNf4(const Nf4 &weight) {
  at::Tensor absmax = weight.absmax;
  const auto spread = [](const at::Tensor &scales, int64_t blockSize, int64_t count) {
    return scales.repeat_interleave(blockSize).narrow(0, 0, count);
  };
  if (weight.nestedTable.defined())
    absmax = weight.nestedTable.index_select(0, absmax.to(at::kInt)) *
                 spread(weight.nestedAbsmax, weight.nestedBlockSize, absmax.numel()) +
             weight.nestedOffset;
  int64_t count = 1;
  for (int64_t size : weight.shape)
    count *= size;
  const at::Tensor pairs = pairTable(weight.table, 4);
  const at::Tensor values = pairs.index_select(0, weight.codes.flatten().to(at::kInt)).flatten().narrow(0, 0, count);
  return (values * spread(absmax, weight.blockSize, count)).view(weight.shape);
}

} // namespace maskjit
