// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rotary position embedding with YaRN's frequencies.
#pragma once
#include "model/Config.h"
#include <ATen/core/Tensor.h>
#include <utility>

namespace maskjit {

/// Angles' cosines and sines, [N, 1, D / 2] fp32, YaRN's attention factor in both.
struct RopeAngles {
  at::Tensor cos, sin;
};

class Rope {
public:
  Rope(const Config &config, at::Device device);
  RopeAngles angles(const at::Tensor &positions) const; // [N] int64
  const at::Tensor &perPosition() const { return frequencies; }
  double attentionFactor() const { return factor; }

private:
  at::Tensor frequencies; // [D / 2] fp32, angles from one position to the next
  double factor = 1;
};

/// Turns the pairs (x[i], x[i + D/2]) of x [N, H, D].
at::Tensor rotate(const at::Tensor &x, const RopeAngles &angles);
/// The same of queries and keys. Without gradients on CUDA one kernel turns both where they are, to the same bits.
std::pair<at::Tensor, at::Tensor> rotate(const at::Tensor &q, const at::Tensor &k, const RopeAngles &angles);

} // namespace maskjit
