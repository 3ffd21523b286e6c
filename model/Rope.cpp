// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// YaRN (arXiv:2309.00071): fast dimensions keep their frequency, slow ones are stretched by `factor`, a ramp between.
#include "model/Rope.h"
#include "runtime/rows/ManyRows.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <algorithm>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cmath>

namespace maskjit {
namespace {

/// The dimension that turns `rotations` times over the original length.
double dimensionOf(double rotations, const Config &config) {
  constexpr double kTwoPi = 6.283185307179586;
  return config.headDim * std::log(config.ropeOriginalLength / (rotations * kTwoPi)) / (2 * std::log(config.ropeTheta));
}

bool hasKernel(const at::Tensor &x) {
  return x.is_cuda() && x.is_contiguous() && (x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf) &&
         turnServes(x.size(2));
}

/// Turns both where they are.
void runKernel(const at::Tensor &q, const at::Tensor &k, const RopeAngles &angles) {
  const c10::cuda::CUDAGuard guard(q.device());
  TurnCall call;
  call.dtype = q.scalar_type() == at::kHalf ? DType::F16 : DType::BF16;
  call.rows = q.size(0), call.headDim = q.size(2);
  call.x[0] = q.data_ptr(), call.x[1] = k.data_ptr();
  call.heads[0] = q.size(1), call.heads[1] = k.size(1);
  call.cosines = angles.cos.const_data_ptr<float>(), call.sines = angles.sin.const_data_ptr<float>();
  const Result<void> done = turnCuda(call, c10::cuda::getCurrentCUDAStream().stream());
  TORCH_CHECK(done, done.error().message);
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

std::pair<at::Tensor, at::Tensor> rotate(const at::Tensor &q, const at::Tensor &k, const RopeAngles &angles) {
  if (at::GradMode::is_enabled() || !hasKernel(q) || !hasKernel(k) || q.scalar_type() != k.scalar_type())
    return {rotate(q, angles), rotate(k, angles)};
  runKernel(q, k, angles);
  return {q, k};
}

} // namespace maskjit
