// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The trainer's forward pass and three optimizer steps of LoRA against TRL's, on the tiny checkpoint in fp32.
#include "rl/Trainer.h"
#include "rl/RouterLoss.h"
#include "rl/Scores.h"
#include "tests/rl/Fixture.h"
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

using namespace maskjit;
using namespace maskjit::rl;
namespace fixture = maskjit::rl::test;

namespace {

class GoldenTrainer : public testing::Test {
protected:
  std::map<std::string, at::Tensor> tensors = fixture::readTensors("golden/trainer/trainer.safetensors");
  nlohmann::json sidecar = fixture::readJson("golden/trainer/trainer.json");
  std::shared_ptr<GptOss> model =
      GptOss::load(std::string(MASKJIT_FIXTURES) + "/gpt-oss-tiny-bf16", at::kCPU, at::kFloat);

  Rollout rollout() const {
    Rollout r;
    r.promptIds = tensors.at("prompt_ids");
    r.promptMask = tensors.at("prompt_mask");
    r.completionIds = tensors.at("completion_ids");
    r.completionMask = r.lossMask = tensors.at("completion_mask");
    r.itemsInBatch = r.lossMask.sum();
    return r;
  }

  /// Compares where the mask counts.
  double maskedError(const at::Tensor &got, const at::Tensor &want) const {
    at::Tensor counted = tensors.at("completion_mask").to(at::kBool);
    return fixture::relativeError(got.masked_select(counted), want.masked_select(counted));
  }
};

TEST_F(GoldenTrainer, LogProbabilitiesEntropiesAndRouterLoss) {
  constexpr double kTolerance = 2e-5; // the fixtures' README
  for (const char *temperature : {"1.0", "0.7"})
    for (int64_t chunk : {1024, 7}) { // the second recomputes logits in the backward pass
      SCOPED_TRACE(std::string(temperature) + ", chunks of " + std::to_string(chunk));
      LogProbOptions options;
      options.temperature = std::stod(temperature);
      options.chunkRows = chunk;
      std::string prefix = std::string("temperature_") + temperature;
      Scores scores = scoreCompletions(*model, rollout(), options, true);
      EXPECT_LE(maskedError(scores.logps, tensors.at(prefix + ".logps")), kTolerance);
      EXPECT_LE(maskedError(scores.entropies, tensors.at(prefix + ".entropies")), kTolerance);
      EXPECT_LE(fixture::relativeError(scores.routerLoss, tensors.at(prefix + ".aux_loss")), kTolerance);
    }
}

TEST_F(GoldenTrainer, ChunksDoNotChangeGradients) {
  at::Tensor hidden = at::randn({20, model->config().hiddenSize}, at::kFloat);
  at::Tensor tokens = at::arange(20, at::kLong);
  std::vector<at::Tensor> gradients;
  for (int64_t chunk : {1024, 6})
    for (bool entropy : {true, false}) {
      LogProbOptions options;
      options.chunkRows = chunk;
      options.entropyGradient = entropy;
      options.temperature = 0.7;
      at::Tensor leaf = hidden.clone().requires_grad_();
      auto [logps, entropies] = tokenLogProbs(*model, leaf, tokens, options);
      (logps.sum() + (entropy ? 0.3 * entropies.sum() : at::zeros({}))).backward();
      gradients.push_back(leaf.grad());
    }
  EXPECT_LE(fixture::relativeError(gradients[2], gradients[0]), 1e-5);
  EXPECT_LE(fixture::relativeError(gradients[3], gradients[1]), 1e-5);
  EXPECT_GT(fixture::relativeError(gradients[0], gradients[1]), 1e-3); // the entropy's share is there
}

TEST_F(GoldenTrainer, ThreeStepsOfLora) {
  const nlohmann::json &step = sidecar["step"];
  LoraConfig lora;
  lora.rank = step["lora_r"];
  lora.alpha = step["lora_alpha"];
  lora.targetModules = {"q_proj", "o_proj"};
  lora.targetParameters = {"mlp.experts.down_proj"};
  model->adapter = Lora::create(model->config(), lora, at::kCPU, 1);
  {
    at::NoGradGuard noGrad;
    for (auto &[name, factor] : model->adapter->parameters())
      at::Tensor(factor).copy_(tensors.at("step.before." + name));
  }
  Rollout r = rollout();
  r.oldLogps = tensors.at("step.old_logps");
  r.refLogps = tensors.at("step.ref_logps");
  r.advantages = tensors.at("step.advantages");
  model->adapterEnabled = false;
  EXPECT_LE(maskedError(completionLogps(*model, r, {}, 4), r.refLogps), 2e-5);
  model->adapterEnabled = true;

  LossOptions loss;
  loss.type = parseLossType(step["loss_type"].get<std::string>());
  loss.beta = step["beta"];
  loss.epsilon = step["epsilon"];
  loss.epsilonHigh = step["epsilon_high"].get<double>();
  AdamWOptions adam;
  adam.weightDecay = 0.01;
  AdamW optimizer(model->adapter->parameters(), adam);
  for (const nlohmann::json &want : step["curve"]) {
    Metrics metrics;
    optimizer.zeroGradients();
    at::Tensor value = microBatchLoss(*model, r, loss, 1.0, 0.0, metrics);
    value.backward();
    double norm = optimizer.clipGradients(step["max_grad_norm"]);
    optimizer.step(1e-3);
    EXPECT_LE(fixture::relativeError(value.item().toDouble(), want["loss"]), 1e-4);
    EXPECT_LE(fixture::relativeError(norm, want["grad_norm"]), 1e-4);
    for (const auto &[name, number] : want.items())
      if (name != "loss" && name != "grad_norm")
        EXPECT_LE(fixture::relativeError(metrics.mean(name), number.get<double>()), 1e-4) << name;
  }

  std::vector<at::Tensor> errors;
  for (const auto &[name, factor] : model->adapter->parameters())
    errors.push_back((factor.detach() - tensors.at("step.after." + name)).abs().flatten());
  at::Tensor all = at::cat(errors);
  EXPECT_LE(all.max().item<float>(), 2e-4); // the fixtures' README
  EXPECT_GE((all <= 2e-5).to(at::kFloat).mean().item<float>(), 0.99);
}

} // namespace
