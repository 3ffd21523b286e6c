// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Golden advantages and rollout corrections, and the edges of a group.
#include "rl/Advantages.h"
#include "rl/Rollout.h"
#include "rl/losses/RolloutCorrection.h"
#include "tests/rl/Fixture.h"
#include <ATen/ATen.h>
#include <cmath>
#include <gtest/gtest.h>

using namespace maskjit::rl;
using namespace maskjit::rl::test;

namespace {

constexpr double kTolerance = 1e-5; // the fixtures' README

class GoldenRollouts : public testing::Test {
protected:
  std::map<std::string, at::Tensor> tensors = readTensors("advantages.safetensors");
  nlohmann::json sidecar = readJson("advantages.json");
};

TEST_F(GoldenRollouts, Advantages) {
  std::vector<std::string> names = sidecar["reward_functions"];
  for (const auto &c : sidecar["advantages"]) {
    std::string name = c["name"];
    SCOPED_TRACE(name);
    AdvantageOptions options;
    options.numGenerations = sidecar["num_generations"];
    options.scale = parseScaleRewards(c["scale_rewards"].get<std::string>());
    if (c.contains("multi_objective_aggregation"))
      options.aggregation = parseAggregation(c["multi_objective_aggregation"].get<std::string>());
    Metrics metrics;
    at::Tensor got = advantages(tensors.at("in.rewards"), tensors.at("in.weights"), names, options, metrics);
    EXPECT_LE(relativeError(got, tensors.at(name + ".advantages")), kTolerance);
    for (const std::string &metric : metrics.names())
      EXPECT_LE(relativeError(metrics.mean(metric), c["metrics"][metric].get<double>()), kTolerance) << metric;
  }
}

TEST_F(GoldenRollouts, LengthsAndTruncation) {
  std::vector<int64_t> stops = sidecar["stop_and_pad_ids"];
  const at::Tensor &mask = tensors.at("in.completion_mask");
  at::Tensor ended = terminated(tensors.at("in.completion_ids"), mask, stops);
  Metrics metrics;
  recordLengths(mask, ended, metrics);
  EXPECT_EQ(metrics.names().size(), 7u);
  for (const auto &c : sidecar["advantages"]) {
    for (const std::string &metric : metrics.names())
      EXPECT_LE(relativeError(metrics.mean(metric), c["metrics"][metric].get<double>()), kTolerance) << metric;
    EXPECT_EQ((tensors.at("in.prompt_mask").sum() + mask.sum()).item<int64_t>(), c["metrics"]["num_tokens"]);
  }
  at::Tensor kept = mask * ended.unsqueeze(1);
  EXPECT_TRUE(at::equal(kept, tensors.at("mask_truncated.completion_mask")));
  EXPECT_EQ(kept.sum().item<int64_t>(), tensors.at("mask_truncated.num_items_in_batch").item<int64_t>());
}

TEST_F(GoldenRollouts, RolloutCorrections) {
  ASSERT_EQ(sidecar["rollout_correction"].size(), 8u);
  for (const auto &c : sidecar["rollout_correction"]) {
    std::string name = c["name"];
    SCOPED_TRACE(name);
    CorrectionOptions options;
    options.mode = parseCorrectionMode(c["mode"].get<std::string>());
    options.clipMax = c["clip_max"];
    if (!c["clip_min"].is_null())
      options.clipMin = c["clip_min"].get<double>();
    Metrics metrics;
    at::Tensor ratio = rolloutCorrection(tensors.at("in.old_logps"), tensors.at("in.sampling_logps"),
                                         tensors.at("in.completion_mask"), options, metrics);
    EXPECT_LE(relativeError(ratio, tensors.at(name + ".ratio")), kTolerance);
    for (const auto &[metric, value] : c["metrics"].items())
      EXPECT_LE(relativeError(metrics.mean(metric), value.get<double>()), kTolerance) << metric;
  }
}

TEST(Advantages, CompletionThatNobodyJudgedGetsZero) {
  at::Tensor rewards = at::tensor({1.0f, NAN, 0.0f, NAN, NAN, NAN, 1.0f, 1.0f}).view({4, 2});
  Metrics metrics;
  AdvantageOptions options;
  options.numGenerations = 4;
  at::Tensor got = advantages(rewards, at::tensor({1.0f, 1.0f}), {"a", "b"}, options, metrics);
  EXPECT_EQ(got[2].item<float>(), 0);
  EXPECT_FALSE(got.isnan().any().item<bool>());
  EXPECT_GT(got[3].item<float>(), got[0].item<float>());
}

TEST(Advantages, EqualRewardsGiveZeroAndCountAsWithoutSpread) {
  Metrics metrics;
  AdvantageOptions options;
  options.numGenerations = 2;
  at::Tensor got =
      advantages(at::tensor({1.0f, 1.0f, 0.0f, 1.0f}).view({4, 1}), at::tensor({1.0f}), {"a"}, options, metrics);
  EXPECT_EQ(got[0].item<float>(), 0);
  EXPECT_LT(got[2].item<float>(), 0);
  EXPECT_EQ(metrics.mean("frac_reward_zero_std"), 0.5);
}

TEST(Advantages, RefuseBatchThatIsNotWholeGroups) {
  Metrics metrics;
  AdvantageOptions options;
  options.numGenerations = 4;
  EXPECT_THROW(advantages(at::zeros({6, 1}), at::ones({1}), {"a"}, options, metrics), c10::Error);
}

} // namespace
