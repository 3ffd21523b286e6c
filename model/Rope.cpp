// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// YaRN (arXiv:2309.00071): fast dimensions keep their frequency, slow ones are stretched by `factor`, a ramp between.
#include "model/Rope.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <algorithm>
#include <cmath>

namespace maskjit {
namespace {

/// The dimension that turns `rotations` times over the original length.
double dimensionOf(double rotations, const Config &config) {
  constexpr double kTwoPi = 6.283185307179586;
  return config.headDim * std::log(config.ropeOriginalLength / (rotations * kTwoPi)) / (2 * std::log(config.ropeTheta));
}

} // namespace

Rope::Rope(const Config &config, at::Device device) {
  double low = dimensionOf(config.ropeBetaFast, config), high = dimensionOf(config.ropeBetaSlow, config);
  if (config.ropeTruncate)
    low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0), high = std::min(high, double(config.headDim - 1));
  if (low == high)
    high += 0.001; // transformers' guard against a division by zero
  // fp32 throughout, in the order of transformers: a last bit of a frequency is 1e-5 of an angle at position 100, and
  // checkpoints were trained with these values.
  const at::Tensor turns = at::pow(config.ropeTheta, at::arange(0, config.headDim, 2, at::kFloat) / config.headDim);
  const at::Tensor ramp = ((at::arange(config.headDim / 2, at::kFloat) - low) / (high - low)).clamp(0, 1);
  const at::Tensor fast = 1 - ramp;
  frequencies = ((1 / (config.ropeFactor * turns)) * (1 - fast) + (1 / turns) * fast).to(device);
  factor = config.ropeFactor > 1 ? 0.1 * std::log(config.ropeFactor) + 1 : 1;
}

RopeAngles Rope::angles(const at::Tensor &positions) const {
  const at::Tensor angle = positions.to(at::kFloat).view({-1, 1, 1}) * frequencies;
  return {angle.cos().mul_(factor), angle.sin().mul_(factor)};
}

at::Tensor rotate(const at::Tensor &x, const RopeAngles &angles) {
  const int64_t half = x.size(2) / 2;
  const at::Tensor first = x.narrow(2, 0, half), second = x.narrow(2, half, half);
  return at::cat({first * angles.cos - second * angles.sin, second * angles.cos + first * angles.sin}, 2)
      .to(x.scalar_type());
}

} // namespace maskjit
