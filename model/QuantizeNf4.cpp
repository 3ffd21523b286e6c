// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Nearest entries of two tables: the 16 values of NF4, and bitsandbytes' dynamic map of 8 bits for the scales.
#include "model/QuantizeNf4.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <cmath>

namespace maskjit {
namespace {

constexpr int64_t kBlock = 64, kNestedBlock = 256;
constexpr int64_t kZero = 7; // the code of 0

/// Quantiles of a normal distribution, normalised to [-1, 1], with an exact 0 (QLoRA, arXiv:2305.14314, appendix E).
const at::Tensor &nf4Table() {
  static const at::Tensor table = at::tensor(
      {-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
       -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
       0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0},
      at::kFloat);
  return table;
}

/// Seven decades of [0.1, 1], each cut twice as finely as the one below, on both sides of 0 (arXiv:2110.02861).
const at::Tensor &dynamicMap() {
  static const at::Tensor map = [] {
    std::vector<at::Tensor> parts = {at::tensor({0.0, 1.0}, at::kDouble)};
    for (int decade = 0; decade < 7; ++decade) {
      const int64_t edges = (int64_t(1) << decade) + 1;
      const at::Tensor boundaries = at::linspace(0.1, 1, edges, at::kFloat);
      const at::Tensor means = (boundaries.narrow(0, 0, edges - 1) + boundaries.narrow(0, 1, edges - 1)) / 2.0;
      const at::Tensor scaled = (means * std::pow(10.0, decade - 6)).to(at::kDouble);
      parts.insert(parts.end(), {scaled, -scaled});
    }
    return std::get<0>(at::cat(parts).sort()).to(at::kFloat);
  }();
  return map;
}

/// Index of the nearest entry of the rising `table`, of two as near the lower.
at::Tensor nearest(const at::Tensor &values, const at::Tensor &table) {
  const int64_t n = table.size(0);
  const at::Tensor middles = (table.narrow(0, 0, n - 1) + table.narrow(0, 1, n - 1)) / 2;
  return at::bucketize(values, middles.to(values.device()), /*out_int32=*/true, /*right=*/false).to(at::kByte);
}

/// Codes of the scales. bitsandbytes looks a value up among 65536 levels of [-1, 1], so that one near the middle
/// between two entries may get the farther one, and gives a block of zeros code 0.
at::Tensor nearestLevel(const at::Tensor &values, const at::Tensor &largest) {
  constexpr double kLevels = 65535;
  const at::Tensor level = ((values + 1) * 0.5 * kLevels + 0.5).floor();
  const at::Tensor codes = nearest(level / kLevels * 2 - 1, dynamicMap());
  return codes * (largest != 0).repeat_interleave(kNestedBlock).narrow(0, 0, codes.size(0));
}

/// [n] in blocks, the last filled up with 0, over the largest absolute value of each, and these.
std::pair<at::Tensor, at::Tensor> normalised(const at::Tensor &values, int64_t block) {
  const int64_t n = values.size(0), blocks = (n + block - 1) / block;
  const at::Tensor padded = at::constant_pad_nd(values, {0, blocks * block - n}).view({blocks, block});
  const at::Tensor largest = padded.abs().amax(1);
  const at::Tensor divisor = at::where(largest == 0, at::ones_like(largest), largest).unsqueeze(1);
  return {(padded / divisor).flatten().narrow(0, 0, n), largest};
}

} // namespace

Nf4 quantizeNf4(const at::Tensor &matrix) {
  Nf4 out;
  out.outputs = matrix.size(0), out.inputs = matrix.size(1);
  out.blockSize = kBlock, out.nestedBlockSize = kNestedBlock;
  out.rounding = matrix.scalar_type();
  const at::Device device = matrix.device();
  auto [scaled, absmax] = normalised(matrix.flatten().to(at::kFloat), kBlock);
  const int64_t count = scaled.size(0);
  at::Tensor codes = nearest(scaled, nf4Table());
  if (count % 2)
    codes = at::constant_pad_nd(codes, {0, 1}, kZero);
  const at::Tensor pairs = codes.view({-1, 2});
  out.codes = (pairs.select(1, 0) * 16 + pairs.select(1, 1)).to(at::kByte).unsqueeze(0);
  out.table = nf4Table().to(device);
  const at::Tensor offset = absmax.mean();
  auto [rest, largest] = normalised(absmax - offset, kNestedBlock);
  out.absmax = nearestLevel(rest, largest).unsqueeze(0);
  out.nestedAbsmax = largest.unsqueeze(0);
  out.nestedTable = dynamicMap().to(device);
  out.nestedOffset = offset.view({1});
  return out;
}

Nf4 stackNf4(const std::vector<Nf4> &parts) {
  Nf4 stack = parts.front();
  const auto joined = [&](at::Tensor Nf4::*part) {
    std::vector<at::Tensor> all;
    for (const Nf4 &one : parts)
      all.push_back(one.*part);
    return at::cat(all);
  };
  stack.codes = joined(&Nf4::codes), stack.absmax = joined(&Nf4::absmax);
  if (stack.nestedTable.defined())
    stack.nestedAbsmax = joined(&Nf4::nestedAbsmax), stack.nestedOffset = joined(&Nf4::nestedOffset);
  return stack;
}

} // namespace maskjit
