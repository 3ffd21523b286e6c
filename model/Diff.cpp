// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Records what A's modules read and wrote, then runs B twice: on its own values, and on A's at the door of each module.
#include "model/Diff.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <map>

namespace maskjit {
namespace {

/// By layer and place.
using Values = std::map<std::pair<int64_t, std::string>, at::Tensor>;

constexpr const char *kModules[][3] = {{"attention", "attention.input", "attention.output"},
                                       {"router", "experts.input", "router.output"},
                                       {"experts", "experts.input", "experts.output"}};

/// One pass; `given` replaces the inputs of modules, null: each its own.
Values record(const GptOss &model, const Batch &batch, const Values *given) {
  at::NoGradGuard noGradients;
  Values values;
  ForwardOptions options;
  options.trace = [&](int64_t layer, const char *place, at::Tensor &rows) {
    const bool input = std::string(place).find(".input") != std::string::npos;
    if (given && input)
      rows = given->at({layer, place}).to(rows.device());
    values[{layer, place}] = rows.to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  };
  const int64_t layers = model.config().layers;
  const at::Tensor last = model.forward(batch, nullptr, options).last;
  values[{layers, "head.input"}] = last.to(at::kCPU, at::kFloat);
  at::Tensor real = last;
  if (given)
    real = given->at({layers, "head.input"}).to(last.device(), last.scalar_type());
  at::Tensor logits = model.logits(real).flatten(0, 1).to(at::kCPU);
  if (batch.attentionMask.defined())
    logits = logits.index_select(0, batch.attentionMask.flatten().nonzero().squeeze(1));
  values[{layers, "head.output"}] = logits;
  return values;
}

double errorOf(const at::Tensor &got, const at::Tensor &want) {
  const double norm = want.to(at::kDouble).norm().item<double>();
  const double error = (got.to(at::kDouble) - want.to(at::kDouble)).norm().item<double>();
  return norm > 0 ? error / norm : error;
}

/// Share of the rows whose `count` largest entries are the same.
double sameLargest(const at::Tensor &a, const at::Tensor &b, int64_t count) {
  const auto largest = [&](const at::Tensor &x) { return std::get<0>(std::get<1>(x.topk(count, 1)).sort(1)); };
  return (largest(a) == largest(b)).all(1).to(at::kDouble).mean().item<double>();
}

} // namespace

std::vector<ModuleDiff> diffModels(const MakeModel &makeA, const MakeModel &makeB, const Batch &batch) {
  std::shared_ptr<GptOss> model = makeA();
  const int64_t layers = model->config().layers, hidden = model->config().hiddenSize,
                vocabulary = model->config().vocabSize;
  const Values a = record(*model, batch, nullptr);
  model.reset();
  model = makeB();
  const Config &config = model->config();
  if (config.layers != layers || config.hiddenSize != hidden || config.vocabSize != vocabulary)
    throw std::runtime_error(
        fmt::format("the models have {} and {} layers, {} and {} hidden features, {} and {} tokens; "
                    "expected the same",
                    layers, config.layers, hidden, config.hiddenSize, vocabulary, config.vocabSize));
  const Values free = record(*model, batch, nullptr), own = record(*model, batch, &a);
  std::vector<ModuleDiff> out;
  const auto add = [&](int64_t layer, const char *module, const char *input, const char *output, int64_t choices) {
    const at::Tensor &want = a.at({layer, output}), &got = free.at({layer, output});
    ModuleDiff diff;
    diff.layer = layer, diff.module = module;
    diff.inputsEqual = free.at({layer, input}).equal(a.at({layer, input}));
    diff.outputsEqual = got.equal(want);
    diff.outputError = errorOf(got, want);
    diff.ownError = errorOf(own.at({layer, output}), want);
    if (choices)
      diff.sameChoice = sameLargest(got, want, choices);
    out.push_back(diff);
  };
  for (int64_t layer = 0; layer < layers; ++layer)
    for (auto &[module, input, output] : kModules)
      add(layer, module, input, output, std::string(module) == "router" ? config.expertsPerToken : 0);
  add(layers, "head", "head.input", "head.output", 1);
  return out;
}

} // namespace maskjit
