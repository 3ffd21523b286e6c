// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// AdamW with a state that can be saved, and clipping of the gradient's norm.
#pragma once
#include <ATen/core/Tensor.h>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace maskjit::rl {

using NamedParameters = std::vector<std::pair<std::string, at::Tensor>>;

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0;
};

/// Loshchilov and Hutter 2019 (decoupled decay), as torch.optim.AdamW computes it. Parameters are updated in place;
/// moments are fp32.
class AdamW {
public:
  AdamW(NamedParameters parameters, AdamWOptions options);
  /// Applies the gradients; parameters without one are left alone.
  void step(double learningRate);
  void zeroGradients();
  /// L2 norm over all gradients; scales them to `maxNorm` if it is larger (0: only measures).
  double clipGradients(double maxNorm);

  /// "exp_avg.<name>" and "exp_avg_sq.<name>".
  std::map<std::string, at::Tensor> state() const;
  /// Throws std::runtime_error naming the entry that is missing or has another shape.
  void restore(const std::map<std::string, at::Tensor> &state, int64_t steps);
  int64_t steps() const { return count; }

private:
  NamedParameters parameters;
  AdamWOptions options;
  std::vector<at::Tensor> mean, square;
  int64_t count = 0;
};

} // namespace maskjit::rl
