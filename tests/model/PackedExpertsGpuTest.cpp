// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A layer of MXFP4 experts on the GPU in bf16 beside the same layer in fp32 on the CPU, from the same bytes: results
// and gradients, with and without adapters.
#include "model/PackedExperts.h"
#include "tests/runtime/torch/GpuPresence.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace maskjit {
namespace {

/// A layer of experts alone, and what is put through it.
struct Layer {
  Config config;
  LayerWeights weights;
  at::Tensor x, logits, dout;

  Layer(int64_t tokens, int64_t hidden, int64_t intermediate) {
    config.hiddenSize = hidden, config.intermediateSize = intermediate, config.experts = 8, config.expertsPerToken = 4;
    weights.gateUp = randomMxfp4(8, hidden, 2 * intermediate, 0.05, at::kCPU);
    weights.down = randomMxfp4(8, intermediate, hidden, 0.05, at::kCPU);
    weights.gateUpBias = (at::rand({8, 2 * intermediate}) - 0.5).to(at::kBFloat16);
    weights.downBias = (at::rand({8, hidden}) - 0.5).to(at::kBFloat16);
    x = at::randn({tokens, hidden}).to(at::kBFloat16);
    logits = at::randn({tokens, 8});
    dout = at::randn({tokens, hidden}).to(at::kBFloat16).to(at::kFloat);
  }
};

struct Results {
  at::Tensor out;
  std::vector<at::Tensor> gradients; // of x, logits and the adapters' factors
};

/// Through runExperts on `device`, fp32 on the CPU and bf16 on the GPU; `adapters`: LoRA on both products.
Results run(const Layer &layer, at::Device device, bool adapters) {
  const at::ScalarType dtype = device.is_cuda() ? at::kBFloat16 : at::kFloat;
  LayerWeights weights;
  weights.gateUp = layer.weights.gateUp.to(device), weights.down = layer.weights.down.to(device);
  weights.gateUpBias = layer.weights.gateUpBias.to(device, dtype);
  weights.downBias = layer.weights.downBias.to(device, dtype);
  const auto leaf = [&](const at::Tensor &values) { return values.to(device).clone().requires_grad_(true); };
  const at::Tensor x = leaf(layer.x.to(dtype)), logits = leaf(layer.logits);
  Routing routing;
  auto [best, chosen] = logits.topk(layer.config.expertsPerToken, 1);
  routing.logits = logits, routing.experts = chosen, routing.scores = best.softmax(1);

  std::vector<at::Tensor> inputs{x, logits};
  LoraPair gateUp, down;
  ExpertLora lora;
  if (adapters) {
    at::manual_seed(3);
    const int64_t hidden = layer.config.hiddenSize, inner = layer.config.intermediateSize, rank = 4;
    const auto factor = [&](int64_t rows, int64_t columns) { return leaf(at::randn({rows, columns}) * 0.1); };
    gateUp = {factor(8 * rank, hidden), factor(2 * inner, rank * 8)};
    down = {factor(8 * rank, inner), factor(hidden, rank * 8)};
    lora = {&gateUp, &down, 0.5};
    inputs.insert(inputs.end(), {gateUp.a, gateUp.b, down.a, down.b});
  }
  EXPECT_EQ(takesPackedExperts(x, weights), device.is_cuda());
  Results results;
  const at::Tensor out = runExperts(x, routing, weights, layer.config, lora);
  results.out = out.detach().to(at::kCPU, at::kFloat);
  for (const at::Tensor &gradient : torch::autograd::grad({out}, inputs, {layer.dout.to(device, out.scalar_type())}))
    results.gradients.push_back(gradient.to(at::kCPU, at::kFloat));
  return results;
}

double distance(const at::Tensor &got, const at::Tensor &want) {
  return ((got - want).norm() / want.norm()).item<double>();
}

struct PackedExpertsGpu : testing::TestWithParam<std::tuple<int64_t, bool>> {};
INSTANTIATE_TEST_SUITE_P(TokensAndAdapters, PackedExpertsGpu,
                         testing::Combine(testing::Values(3, 8, 200), testing::Bool()));

TEST_P(PackedExpertsGpu, AreThoseOfTheCpu) {
  if (!test::gpuPresent())
    GTEST_SKIP() << "needs a gpu";
  const auto [tokens, adapters] = GetParam();
  at::manual_seed(1);
  for (auto [hidden, intermediate] : {std::pair<int64_t, int64_t>(192, 192), {128, 64}, {96, 160}}) {
    const Layer layer(tokens, hidden, intermediate);
    const Results want = run(layer, at::kCPU, adapters), got = run(layer, at::Device(at::kCUDA, 0), adapters);
    EXPECT_LT(distance(got.out, want.out), 0.01) << hidden; // bf16 rounds h, y and what adapters add
    for (size_t i = 0; i < want.gradients.size(); ++i)
      EXPECT_LT(distance(got.gradients[i], want.gradients[i]), 0.02) << "gradient " << i << ", hidden " << hidden;
    const Results again = run(layer, at::Device(at::kCUDA, 0), adapters);
    EXPECT_TRUE(again.out.equal(got.out)) << "repeats bit for bit";
    EXPECT_TRUE(again.gradients[0].equal(got.gradients[0])) << "repeats bit for bit";
  }
}

} // namespace
} // namespace maskjit
