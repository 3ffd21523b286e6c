// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loads, initialises and writes weights.
#include "model/Weights.h"
#include "model/ShardWriter.h"
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <fmt/format.h>

namespace maskjit {
namespace {

bool endsWith(const std::string &text, const std::string &end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

} // namespace

void visitWeights(Weights &weights, const Config &c, const WeightVisitor &visit) {
  weights.layers.resize(c.layers);
  const int64_t q = c.headsQ * c.headDim, kv = c.headsKv * c.headDim;
  visit.tensor("model.embed_tokens.weight", {c.vocabSize, c.hiddenSize}, weights.embedding);
  for (int64_t i = 0; i < c.layers; ++i) {
    LayerWeights &layer = weights.layers[i];
    const std::string prefix = fmt::format("model.layers.{}.", i), attention = prefix + "self_attn.",
                      experts = prefix + "mlp.experts.";
    visit.tensor(prefix + "input_layernorm.weight", {c.hiddenSize}, layer.inputNorm);
    visit.matrix(attention + "q_proj.weight", {q, c.hiddenSize}, layer.qWeight);
    visit.tensor(attention + "q_proj.bias", {q}, layer.qBias);
    visit.matrix(attention + "k_proj.weight", {kv, c.hiddenSize}, layer.kWeight);
    visit.tensor(attention + "k_proj.bias", {kv}, layer.kBias);
    visit.matrix(attention + "v_proj.weight", {kv, c.hiddenSize}, layer.vWeight);
    visit.tensor(attention + "v_proj.bias", {kv}, layer.vBias);
    visit.matrix(attention + "o_proj.weight", {c.hiddenSize, q}, layer.oWeight);
    visit.tensor(attention + "o_proj.bias", {c.hiddenSize}, layer.oBias);
    visit.tensor(attention + "sinks", {c.headsQ}, layer.sinks);
    visit.tensor(prefix + "post_attention_layernorm.weight", {c.hiddenSize}, layer.postNorm);
    visit.matrix(prefix + "mlp.router.weight", {c.experts, c.hiddenSize}, layer.routerWeight);
    visit.tensor(prefix + "mlp.router.bias", {c.experts}, layer.routerBias);
    visit.matrix(experts + "gate_up_proj", {c.experts, c.hiddenSize, 2 * c.intermediateSize}, layer.gateUp);
    visit.tensor(experts + "gate_up_proj_bias", {c.experts, 2 * c.intermediateSize}, layer.gateUpBias);
    visit.matrix(experts + "down_proj", {c.experts, c.intermediateSize, c.hiddenSize}, layer.down);
    visit.tensor(experts + "down_proj_bias", {c.experts, c.hiddenSize}, layer.downBias);
  }
  visit.tensor("model.norm.weight", {c.hiddenSize}, weights.norm);
  visit.matrix("lm_head.weight", {c.vocabSize, c.hiddenSize}, weights.head);
}

Weights loadWeights(const std::string &directory, const Config &config, at::Device device, at::ScalarType dtype,
                    const LoadOptions &options) {
  Checkpoint checkpoint = Checkpoint::open(directory, options.shards);
  Weights weights;
  WeightReader reader(checkpoint, device, dtype, options);
  const auto tensor = [&](auto &name, auto &shape, at::Tensor &tensor) {
    const bool onHost = options.embeddingOnHost && device.is_cuda() && &tensor == &weights.embedding;
    tensor = onHost ? reader.onHost(name, shape) : reader.tensor(name, shape);
    checkpoint.closeRead();
  };
  const auto matrix = [&](auto &name, auto &shape, Matrix &matrix) {
    matrix = reader.matrix(name, shape);
    checkpoint.closeRead();
  };
  visitWeights(weights, config, {tensor, matrix});
  reader.finish();
  checkpoint.finish();
  return weights;
}

namespace {

/// Norms 1, biases 0; the rest is left to `fill`.
void initialise(const std::string &name, at::Tensor &tensor, const std::function<void(at::Tensor &)> &fill) {
  if (endsWith(name, "norm.weight"))
    tensor.fill_(1);
  else if (endsWith(name, "bias"))
    tensor.zero_();
  else
    fill(tensor);
}

} // namespace

Weights randomWeights(const Config &config, at::Device device, at::ScalarType dtype, uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  Weights weights;
  const auto make = [&](const std::string &name, const std::vector<int64_t> &shape) {
    at::Tensor tensor = at::empty(shape, at::kFloat);
    initialise(name, tensor, [&](at::Tensor &t) { t.normal_(0, config.initializerRange, generator); });
    return tensor.to(device, dtype);
  };
  visitWeights(weights, config,
               {[&](auto &name, auto &shape, at::Tensor &tensor) { tensor = make(name, shape); },
                [&](auto &name, auto &shape, Matrix &matrix) { matrix = make(name, shape); }});
  return weights;
}

Weights randomPackedWeights(const Config &config, at::Device device, at::ScalarType dtype, uint64_t seed) {
  at::Generator generator = at::globalContext().defaultGenerator(device);
  generator.set_current_seed(seed);
  Weights weights;
  const auto options = at::TensorOptions(dtype).device(device);
  const auto make = [&](const std::string &name, const std::vector<int64_t> &shape) {
    at::Tensor tensor = at::empty(shape, options);
    initialise(name, tensor, [&](at::Tensor &t) { t.normal_(0, config.initializerRange); });
    return tensor;
  };
  visitWeights(weights, config,
               {[&](auto &name, auto &shape, at::Tensor &tensor) { tensor = make(name, shape); },
                [&](auto &name, auto &shape, Matrix &matrix) {
                  if (shape.size() == 2)
                    matrix = make(name, shape);
                  else
                    matrix = randomMxfp4(shape[0], shape[1], shape[2], config.initializerRange, device);
                }});
  return weights;
}

void saveWeights(const Weights &weights, const Config &config, const std::string &directory, at::ScalarType dtype) {
  ShardWriter writer(directory);
  Weights copy = weights; // of the handles
  visitWeights(
      copy, config,
      {[&](auto &name, auto &, at::Tensor &tensor) { writer.add(name, tensor.to(dtype)); },
       [&](auto &name, auto &shape, Matrix &matrix) { writer.add(name, matrix.toDense(dtype, shape.size() == 3)); }});
  writer.finish();
}

} // namespace maskjit
