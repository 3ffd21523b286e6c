// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// AdamW and clipping of the gradient's norm.
#include "rl/optim/AdamW.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <stdexcept>

namespace maskjit::rl {

AdamW::AdamW(NamedParameters parameters, AdamWOptions options) : parameters(std::move(parameters)), options(options) {
  for (const auto &[name, p] : this->parameters) {
    mean.push_back(at::zeros_like(p, at::kFloat));
    square.push_back(at::zeros_like(p, at::kFloat));
  }
}

void AdamW::zeroGradients() {
  for (auto &entry : parameters)
    entry.second.mutable_grad().reset();
}

double AdamW::clipGradients(double maxNorm) {
  // The clip coefficient's guard against a zero norm is torch.nn.utils.clip_grad_norm_'s.
  constexpr double kGuard = 1e-6;
  std::vector<at::Tensor> norms;
  for (const auto &entry : parameters)
    if (entry.second.grad().defined())
      norms.push_back(entry.second.grad().to(at::kFloat).norm());
  if (norms.empty())
    return 0;
  double norm = at::stack(norms).norm().item<double>();
  if (maxNorm > 0 && norm > maxNorm)
    for (auto &entry : parameters)
      if (entry.second.grad().defined())
        entry.second.mutable_grad().mul_(maxNorm / (norm + kGuard));
  return norm;
}

void AdamW::step(double learningRate) {
  at::NoGradGuard noGrad;
  ++count;
  double correction1 = 1 - std::pow(options.beta1, double(count)),
         correction2 = 1 - std::pow(options.beta2, double(count));
  for (size_t i = 0; i < parameters.size(); ++i) {
    at::Tensor p = parameters[i].second;
    if (!p.grad().defined())
      continue;
    at::Tensor gradient = p.grad().to(at::kFloat);
    if (options.weightDecay != 0)
      p.mul_(1 - learningRate * options.weightDecay);
    mean[i].lerp_(gradient, 1 - options.beta1);
    square[i].mul_(options.beta2).addcmul_(gradient, gradient, 1 - options.beta2);
    at::Tensor denominator = (square[i].sqrt() / std::sqrt(correction2)).add_(options.epsilon);
    p.addcdiv_(mean[i].to(p.scalar_type()), denominator.to(p.scalar_type()), -learningRate / correction1);
  }
}

std::map<std::string, at::Tensor> AdamW::state() const {
  std::map<std::string, at::Tensor> out;
  for (size_t i = 0; i < parameters.size(); ++i) {
    out["exp_avg." + parameters[i].first] = mean[i];
    out["exp_avg_sq." + parameters[i].first] = square[i];
  }
  return out;
}

void AdamW::restore(const std::map<std::string, at::Tensor> &state, int64_t steps) {
  for (size_t i = 0; i < parameters.size(); ++i)
    for (auto [prefix, target] : {std::pair{"exp_avg.", mean[i]}, std::pair{"exp_avg_sq.", square[i]}}) {
      std::string key = prefix + parameters[i].first;
      auto it = state.find(key);
      if (it == state.end() || it->second.sizes() != target.sizes())
        throw std::runtime_error("optimizer state '" + key + "' is " +
                                 (it == state.end() ? "missing" : "of another shape") +
                                 "; resume with the LoRA options of the run that wrote the checkpoint");
      target.copy_(it->second);
    }
  count = steps;
}

} // namespace maskjit::rl
