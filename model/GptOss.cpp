// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model: embedding, layers of attention and experts on packed rows, final norm, head.
#include "model/GptOss.h"
#include "model/Experts.h"
#include "model/FromWeights.h"
#include "model/JsonFields.h"
#include "model/KernelsAhead.h"
#include "model/Norm.h"
#include "model/RowProducts.h"
#include "model/SelfAttention.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <filesystem>
#include <utility>

namespace maskjit {

struct GptOss::Impl {
  Config config;
  Weights weights;
  at::Device device;
  at::ScalarType dtype;
  Rope rope;
  std::unique_ptr<CompileAhead> kernels; // null on the CPU

  Impl(Config config, Weights weights, at::Device device, at::ScalarType dtype, std::unique_ptr<CompileAhead> kernels)
      : config(std::move(config)), weights(std::move(weights)), device(device), dtype(dtype),
        rope(this->config, device), kernels(std::move(kernels)) {}
};

namespace {

void checkPlacement(at::Device device, at::ScalarType dtype) {
  if (dtype != at::kFloat && dtype != at::kBFloat16 && dtype != at::kHalf)
    throw std::runtime_error(std::string("dtype: expected float32, bfloat16 or float16, got ") + c10::toString(dtype));
  if (device.is_cpu() != (dtype == at::kFloat))
    throw std::runtime_error(
        "dtype: the attention kernels compute in float32 on the CPU, in bfloat16 or float16 on CUDA; got " +
        std::string(c10::toString(dtype)) + " on " + device.str());
}

} // namespace

/// Compiles kernels in the background while `makeWeights` reads or makes the weights.
template <class MakeWeights>
static std::shared_ptr<GptOss> build(Config config, at::Device device, at::ScalarType dtype,
                                     const MakeWeights &makeWeights) {
  std::unique_ptr<CompileAhead> kernels = compileKernelsAhead(config, device, dtype);
  Weights weights = makeWeights(config);
  return std::make_shared<GptOss>(
      std::make_shared<GptOss::Impl>(std::move(config), std::move(weights), device, dtype, std::move(kernels)));
}

std::shared_ptr<GptOss> GptOss::load(const std::string &directory, at::Device device, at::ScalarType dtype,
                                     const LoadOptions &options) {
  checkPlacement(device, dtype);
  return build(Config::load(directory), device, dtype,
               [&](const Config &config) { return loadWeights(directory, config, device, dtype, options); });
}

std::shared_ptr<GptOss> GptOss::random(const Config &config, at::Device device, at::ScalarType dtype, uint64_t seed) {
  checkPlacement(device, dtype);
  return build(config, device, dtype, [&](const Config &config) { return randomWeights(config, device, dtype, seed); });
}

std::shared_ptr<GptOss> GptOss::randomPacked(const Config &config, at::Device device, at::ScalarType dtype,
                                             uint64_t seed) {
  checkPlacement(device, dtype);
  return build(config, device, dtype,
               [&](const Config &config) { return randomPackedWeights(config, device, dtype, seed); });
}

std::shared_ptr<GptOss> fromWeights(const Config &config, Weights weights, at::Device device, at::ScalarType dtype) {
  checkPlacement(device, dtype);
  return build(config, device, dtype, [&](const Config &) { return std::move(weights); });
}

void GptOss::save(const std::string &directory, std::optional<at::ScalarType> dtype) const {
  const at::ScalarType as = dtype.value_or(impl->dtype == at::kHalf ? at::kBFloat16 : impl->dtype);
  if (as != at::kFloat && as != at::kBFloat16)
    throw std::runtime_error(std::string("dtype: checkpoints are written as float32 or bfloat16, not ") +
                             c10::toString(as));
  std::filesystem::create_directories(directory);
  saveWeights(impl->weights, impl->config, directory, as);
  writeTextFile(directory + "/config.json", impl->config.toJson(as == at::kFloat ? "float32" : "bfloat16"));
  nlohmann::ordered_json generation = {{"eos_token_id", impl->config.eosTokenIds}};
  if (impl->config.padTokenId >= 0)
    generation["pad_token_id"] = impl->config.padTokenId;
  writeTextFile(directory + "/generation_config.json", generation.dump(2) + "\n");
}

const Config &GptOss::config() const { return impl->config; }
at::Device GptOss::device() const { return impl->device; }
at::ScalarType GptOss::dtype() const { return impl->dtype; }

HiddenStates GptOss::forward(const Batch &batch, KvCache *cache, const ForwardOptions &options) const {
  const bool gradients = at::GradMode::is_enabled() && !cache;
  at::AutoGradMode mode(gradients);
  const Config &config = impl->config;
  const Rows rows(batch, config, impl->device, cache);
  const AttentionPlan attention(rows, impl->rope, config, impl->device, cache);
  const Lora *lora = adapterEnabled ? adapter.get() : nullptr;
  HiddenStates out;
  // The residual stream and the router stay in fp32: rounded to bf16, near ties would choose other experts.
  at::Tensor x = at::embedding(impl->weights.embedding, rows.ids).to(at::kFloat);
  const auto trace = [&](int64_t layer, const char *place, at::Tensor &rows) {
    if (options.trace)
      options.trace(layer, place, rows);
  };
  at::Tensor pending; // what the half of a layer before adds to x
  const auto settle = [&] {
    if (pending.defined())
      x = x + std::exchange(pending, {});
  };
  const bool watched = options.trace || options.layers; // somebody looks at x, or keeps it
  const auto normalise = [&](const at::Tensor &weight, bool wide) {
    return addNorm(x, pending, weight, config.rmsNormEps, impl->dtype, wide);
  };
  for (int64_t i = 0; i < config.layers; ++i) {
    const LayerWeights &weights = impl->weights.layers[i];
    trace(i, "attention.input", x);
    pending = attention.run(normalise(weights.inputNorm, false).rows, i, weights, lora);
    trace(i, "attention.output", pending);
    if (watched)
      settle();
    trace(i, "experts.input", x);
    const Normal normal = normalise(weights.postNorm, true);
    Routing routing = route(normal.wide, weights, config.expertsPerToken);
    trace(i, "router.output", routing.logits);
    ExpertLora experts;
    if (lora)
      experts = {lora->find(i, "experts.gate_up_proj"), lora->find(i, "experts.down_proj"), lora->scaling()};
    pending = runExperts(normal.rows, routing, weights, config, experts);
    trace(i, "experts.output", pending);
    if (watched)
      settle();
    if (options.routerLogits)
      out.routerLogits.push_back(rows.unpack(routing.logits));
    if (options.layers)
      out.layers.push_back(rows.unpack(x));
  }
  attention.finish(batch);
  out.last = rows.unpack(normalise(impl->weights.norm, false).rows);
  return out;
}

at::Tensor GptOss::logits(const at::Tensor &hidden) const {
  std::vector<int64_t> shape = hidden.sizes().vec();
  shape.back() = impl->config.vocabSize;
  return multiplyRows(hidden.flatten(0, -2), impl->weights.head).view(shape).to(at::kFloat);
}

const Weights &GptOss::weights() const { return impl->weights; }

std::vector<std::pair<std::string, at::Tensor>> GptOss::parameters() const {
  std::vector<std::pair<std::string, at::Tensor>> all;
  visitWeights(impl->weights, impl->config,
               {[&](auto &name, auto &, at::Tensor &tensor) { all.push_back({name, tensor}); },
                [&](auto &name, auto &, Matrix &matrix) {
                  if (!matrix.packed())
                    all.push_back({name, matrix.dense()});
                }});
  return all;
}

} // namespace maskjit
