// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Short runs on a random model: names of the metrics, stopping, and a resume that changes no bit of the curve.
#include "rl/Sft.h"
#include "rl/Trainer.h"
#include "rl/tasks/ByteTokenizer.h"
#include <ATen/ATen.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace maskjit;
using namespace maskjit::rl;
namespace fs = std::filesystem;

namespace {

class ShortRun : public testing::Test {
protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "maskjit-rl-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root = name;
    SftSettings tiny;
    tiny.hiddenSize = 32;
    tiny.headsQ = 2;
    tiny.headsKv = 1;
    tiny.experts = 3;
    tiny.intermediateSize = 32;
    tiny.initializerRange = 0.1;
    model = root / "model";
    fs::create_directories(model);
    GptOss::random(tiny.config(), at::kCPU, at::kFloat, 5)->save(model.string());
    std::ofstream(model / "tokenizer.json") << ByteTokenizer::json();

    settings.model = model.string();
    settings.lora.rank = 2;
    settings.learningRate = 1e-2;
    settings.numGenerations = 2;
    settings.perDeviceTrainBatchSize = 4;
    settings.maxCompletionLength = 3;
    settings.maxSteps = 6;
    settings.saveSteps = 0;
    settings.rewards = {"format", "correct"}; // a random model writes a digit now and then
  }
  void TearDown() override { fs::remove_all(root); }

  std::unique_ptr<Trainer> trainer(const std::string &output, const std::string &checkpoint = "") {
    settings.outputDir = (root / output).string();
    return std::make_unique<Trainer>(settings, GptOss::load(model.string(), at::kCPU, at::kFloat),
                                     Tokenizer::load(model.string()), checkpoint);
  }

  /// Lines of metrics.jsonl without what a clock measures.
  std::vector<nlohmann::json> curve(const std::string &output) const {
    std::vector<nlohmann::json> lines;
    std::ifstream in(root / output / "metrics.jsonl");
    for (std::string line; std::getline(in, line);) {
      lines.push_back(nlohmann::json::parse(line));
      for (const char *clock : {"step_time", "tokens_per_second", "peak_memory_bytes"})
        EXPECT_EQ(lines.back().erase(clock), 1u) << clock;
    }
    return lines;
  }

  static std::string bytes(const fs::path &file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  /// Stops after `stopAt` steps, resumes, and compares with a run that was not stopped.
  void expectExactResume(int64_t stopAt) {
    std::atomic<bool> stop{false};
    trainer("whole")->run(stop);
    EXPECT_FALSE(trainer("parts")->run(stop, [&](const StepReport &r) { stop = r.step == stopAt; }));
    EXPECT_EQ(curve("parts").size(), size_t(stopAt));
    stop = false;
    auto resumed = trainer("parts", findCheckpoint((root / "parts").string()));
    EXPECT_EQ(resumed->step(), stopAt);
    EXPECT_TRUE(resumed->run(stop));
    EXPECT_EQ(curve("parts"), curve("whole"));
    EXPECT_EQ(curve("parts").size(), 6u);
    std::string whole = bytes(root / "whole" / "adapter_model.safetensors");
    EXPECT_GT(whole.size(), 1000u);
    EXPECT_TRUE(whole == bytes(root / "parts" / "adapter_model.safetensors"));
    EXPECT_EQ(resumed->rewardCurve().size(), 6u);
  }

  fs::path root, model;
  Settings settings;
};

TEST_F(ShortRun, ResumeContinuesBitForBit) { expectExactResume(3); }

TEST_F(ShortRun, ResumeInTheMiddleOfAGenerationBatch) {
  settings.stepsPerGeneration = 2;
  settings.numIterations = 2;
  settings.loss.beta = 0.05;
  settings.loggingSteps = 1;
  expectExactResume(2); // 4 passes a generation batch: two of them are still to come
}

TEST_F(ShortRun, MetricsHaveTrlsNames) {
  settings.loss.beta = 0.05;
  settings.evalSteps = 3;
  settings.evalSamples = 4;
  std::atomic<bool> stop{false};
  trainer("names")->run(stop);
  std::ifstream in(root / "names" / "metrics.jsonl");
  std::string text;
  for (int64_t step = 1; std::getline(in, text); ++step) {
    nlohmann::json line = nlohmann::json::parse(text);
    EXPECT_EQ(line["step"], step);
    for (const char *name : {"loss",
                             "grad_norm",
                             "learning_rate",
                             "reward",
                             "reward_std",
                             "frac_reward_zero_std",
                             "rewards/format/mean",
                             "rewards/format/std",
                             "rewards/correct/mean",
                             "rewards/correct/std",
                             "kl",
                             "entropy",
                             "clip_ratio/low_mean",
                             "clip_ratio/low_min",
                             "clip_ratio/high_mean",
                             "clip_ratio/high_max",
                             "clip_ratio/region_mean",
                             "completions/mean_length",
                             "completions/min_length",
                             "completions/max_length",
                             "completions/clipped_ratio",
                             "completions/mean_terminated_length",
                             "completions/min_terminated_length",
                             "completions/max_terminated_length",
                             "sampling/sampling_logp_difference/mean",
                             "sampling/sampling_logp_difference/max",
                             "num_tokens",
                             "step_time",
                             "tokens_per_second",
                             "peak_memory_bytes"})
      EXPECT_TRUE(line.contains(name) && line[name].is_number()) << name;
    EXPECT_LE(line["sampling/sampling_logp_difference/max"].get<double>(), 1e-5);  // fp32 on the CPU
    EXPECT_EQ(line.contains("eval_accuracy"), step == 1 || step % 3 == 0) << step; // the start's is in the first line
  }
}

TEST_F(ShortRun, LearningRateZeroLeavesTheAdapterAlone) {
  settings.learningRate = 0;
  std::atomic<bool> stop{false};
  trainer("still")->run(stop);
  auto after = Lora::load((root / "still").string(), Config::load(model.string()), at::kCPU);
  for (const auto &[name, factor] : after->parameters())
    if (name.find("lora_B") != std::string::npos)
      EXPECT_EQ(factor.abs().max().item<float>(), 0) << name;
}

TEST_F(ShortRun, ResumeRefusesOtherSettings) {
  std::atomic<bool> stop{true};
  trainer("other")->run(stop);
  std::string checkpoint = findCheckpoint((root / "other").string());
  settings.loss.beta = 0.5;
  try {
    trainer("other", checkpoint);
    FAIL() << "no error";
  } catch (const std::runtime_error &e) {
    EXPECT_NE(std::string(e.what()).find("it was made with beta = 0.0, this run has 0.5"), std::string::npos)
        << e.what();
  }
  EXPECT_THROW(findCheckpoint((root / "nowhere").string()), std::runtime_error);
}

TEST_F(ShortRun, LogSaysWhetherTheRouterLossIsOn) {
  EXPECT_EQ(trainer("a")->routerLossNote(),
            "router auxiliary loss: on, coefficient 0.9 (from the model's config.json); "
            "router_aux_loss_coef=0 turns it off");
  settings.routerAuxLossCoef = 0;
  EXPECT_EQ(trainer("b")->routerLossNote(), "router auxiliary loss: off (router_aux_loss_coef is 0)");
}

} // namespace
