// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The 58 golden cases of the policy loss: value, gradients and metrics; and what padding and bad names do.
#include "rl/losses/PolicyLoss.h"
#include "tests/rl/Fixture.h"
#include <ATen/ATen.h>
#include <cmath>
#include <gtest/gtest.h>

using namespace maskjit::rl;
using namespace maskjit::rl::test;

namespace {

// The fixtures' README: the reference agrees with float64 formulas to 2e-7; the loss is fp32.
constexpr double kTolerance = 1e-6;

std::optional<double> optional(const nlohmann::json &value) {
  return value.is_null() ? std::nullopt : std::optional<double>(value.get<double>());
}

LossOptions optionsOf(const nlohmann::json &c, const nlohmann::json &inputs) {
  LossOptions o;
  o.type = parseLossType(c["loss_type"].get<std::string>());
  o.level = parseImportanceLevel(c["importance_sampling_level"].get<std::string>());
  o.epsilon = c["epsilon"];
  o.epsilonHigh = optional(c["epsilon_high"]);
  o.delta = optional(c["delta"]);
  o.beta = c["beta"];
  o.useBiasCorrectionKl = c["use_bias_correction_kl"];
  o.topEntropyQuantile = c["top_entropy_quantile"];
  o.entropyCoef = c["entropy_coef"];
  o.offPolicyMaskThreshold = optional(c["off_policy_mask_threshold"]);
  o.sapoTemperaturePos = c["sapo_temperature_pos"];
  o.sapoTemperatureNeg = c["sapo_temperature_neg"];
  o.vespoKPos = c["vespo_k_pos"];
  o.vespoLambdaPos = c["vespo_lambda_pos"];
  o.vespoKNeg = c["vespo_k_neg"];
  o.vespoLambdaNeg = c["vespo_lambda_neg"];
  o.maxCompletionLength = inputs["max_completion_length"];
  o.gradientAccumulationSteps = inputs["gradient_accumulation_steps"];
  o.stepsPerGeneration = inputs["steps_per_generation"];
  o.processes = inputs["num_processes"];
  o.training = c["mode"] == "train";
  return o;
}

LossInputs inputsOf(const nlohmann::json &c, const std::map<std::string, at::Tensor> &t) {
  LossInputs in;
  in.logps = t.at("in.logps").clone().requires_grad_();
  in.entropies = t.at("in.entropies").clone().requires_grad_();
  in.mask = t.at("in.completion_mask");
  in.advantages = t.at("in.advantages");
  if (c["old_logps"] == "old_logps")
    in.oldLogps = t.at("in.old_logps");
  in.refLogps = t.at("in.ref_logps");
  if (!c["rollout_correction"].is_null()) {
    in.correction = t.at("in." + c["rollout_correction"].get<std::string>());
    in.samplingLogps = t.at("in.sampling_logps");
  }
  in.itemsInBatch = t.at("in.num_items_in_batch");
  return in;
}

at::Tensor gradientOf(const at::Tensor &leaf) { return leaf.grad().defined() ? leaf.grad() : at::zeros_like(leaf); }

class Losses : public testing::Test {
protected:
  std::map<std::string, at::Tensor> tensors = readTensors("losses.safetensors");
  nlohmann::json cases = readJson("losses.json");
};

TEST_F(Losses, AgreeWithEveryGoldenCase) {
  ASSERT_EQ(cases["cases"].size(), 58u);
  for (const auto &c : cases["cases"]) {
    std::string name = c["name"];
    SCOPED_TRACE(name);
    LossInputs in = inputsOf(c, tensors);
    Metrics metrics;
    at::Tensor loss = policyLoss(in, optionsOf(c, cases["inputs"]), metrics);
    EXPECT_LE(relativeError(loss, tensors.at(name + ".loss")), kTolerance);
    loss.backward();
    EXPECT_LE(relativeError(gradientOf(in.logps), tensors.at(name + ".dlogps")), kTolerance);
    if (auto want = tensors.find(name + ".dentropies"); want != tensors.end())
      EXPECT_LE(relativeError(gradientOf(in.entropies), want->second), kTolerance);
    for (const auto &[metric, value] : c["metrics"].items()) {
      EXPECT_TRUE(metrics.has(metric)) << metric;
      EXPECT_LE(relativeError(metrics.mean(metric), value.is_null() ? NAN : value.get<double>()), kTolerance) << metric;
    }
  }
}

TEST_F(Losses, IgnoreWhatPaddingHolds) {
  for (const auto &c : cases["cases"]) {
    if (!c["rollout_correction"].is_null())
      continue; // the correction is made with its mask: RolloutCorrection's own test
    std::string name = c["name"];
    SCOPED_TRACE(name);
    LossInputs in = inputsOf(c, tensors);
    at::Tensor padding = in.mask == 0;
    in.logps = in.logps.detach().masked_fill(padding, -INFINITY).requires_grad_();
    in.entropies = in.entropies.detach().masked_fill(padding, NAN);
    in.refLogps = in.refLogps.masked_fill(padding, NAN);
    if (in.oldLogps.defined())
      in.oldLogps = in.oldLogps.masked_fill(padding, INFINITY);
    Metrics metrics;
    at::Tensor loss = policyLoss(in, optionsOf(c, cases["inputs"]), metrics);
    EXPECT_LE(relativeError(loss, tensors.at(name + ".loss")), kTolerance);
    loss.backward();
    EXPECT_LE(relativeError(gradientOf(in.logps), tensors.at(name + ".dlogps")), kTolerance);
  }
}

TEST(LossNames, UnknownOnesAreListed) {
  EXPECT_THROW(
      {
        try {
          parseLossType("ppo");
        } catch (const std::runtime_error &e) {
          EXPECT_STREQ(e.what(),
                       "loss_type 'ppo' is unknown; use grpo, bnpo, dr_grpo, dapo, cispo, sapo, luspo or vespo");
          throw;
        }
      },
      std::runtime_error);
  EXPECT_THROW(parseImportanceLevel("word"), std::runtime_error);
}

} // namespace
