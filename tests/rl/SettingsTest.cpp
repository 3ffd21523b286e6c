// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Flags, configuration files and the messages about what does not fit.
#include "rl/tools/NamedOption.h"
#include "rl/tools/Options.h"
#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>

using namespace maskjit::rl;

namespace {

Settings parse(std::vector<std::string> arguments) {
  Settings settings;
  std::string config;
  CLI::App app;
  CLI::App *command = app.add_subcommand("train");
  addTrainOptions(*command, settings);
  addConfigOption(*command, config);
  arguments.insert(arguments.begin(), "train");
  std::reverse(arguments.begin(), arguments.end()); // CLI11 takes them from the back
  app.parse(arguments);
  applyConfig(*command, config);
  return settings;
}

std::string messageOf(const Settings &settings) {
  try {
    settings.validate();
  } catch (const std::exception &e) {
    return e.what();
  }
  return "";
}

std::string configFile(const std::string &text) {
  std::string path = testing::TempDir() + "maskjit-rl-settings.toml";
  std::ofstream(path) << text;
  return path;
}

TEST(Settings, DefaultsAreTrls) {
  Settings s = parse({});
  EXPECT_EQ(s.numGenerations, 8);
  EXPECT_EQ(s.learningRate, 1e-6);
  EXPECT_EQ(s.lossType, "dapo");
  EXPECT_EQ(s.loss.beta, 0);
  EXPECT_EQ(s.loss.epsilon, 0.2);
  EXPECT_EQ(s.scaleRewards, "group");
  EXPECT_EQ(s.numIterations, 1);
  EXPECT_EQ(s.maxGradNorm, 1);
  EXPECT_EQ(messageOf(s), "");
}

TEST(Settings, BothSpellingsWork) {
  EXPECT_EQ(parse({"--num-generations", "4"}).numGenerations, 4);
  EXPECT_EQ(parse({"--num_generations", "4"}).numGenerations, 4);
  EXPECT_EQ(parse({"--epsilon-high", "0.28"}).loss.epsilonHigh, 0.28);
  EXPECT_TRUE(parse({"--shuffle-rewards"}).shuffleRewards);
}

TEST(Settings, FileGivesValuesAndFlagsWin) {
  std::string path = configFile("loss_type = \"grpo\"\nbeta = 0.1\nnum_generations = 4\n"
                                "rewards = [\"correct\", \"format\"]\nreward_weights = [1.0, 0.5]\n");
  Settings s = parse({"--config", path, "--beta", "0.2"});
  EXPECT_EQ(s.lossType, "grpo");
  EXPECT_EQ(s.loss.beta, 0.2);
  EXPECT_EQ(s.numGenerations, 4);
  EXPECT_EQ(s.rewards, (std::vector<std::string>{"correct", "format"}));
  EXPECT_EQ(s.rewardWeights, (std::vector<double>{1, 0.5}));
}

TEST(Settings, UnknownKeysAndBadValuesAreErrors) {
  EXPECT_THROW(parse({"--config", configFile("los_type = \"grpo\"\n")}), CLI::ParseError);
  EXPECT_THROW(parse({"--config", configFile("beta = \"much\"\n")}), CLI::ParseError);
  EXPECT_THROW(parse({"--config", "/nonexistent.toml"}), CLI::ParseError);
  EXPECT_THROW(parse({"--bets", "1"}), CLI::ParseError);
}

TEST(Settings, MessagesNameSettingValueAndWayOut) {
  Settings s;
  s.perDeviceTrainBatchSize = 12;
  EXPECT_EQ(messageOf(s), "per_device_train_batch_size * steps_per_generation is 12; it must be a multiple of "
                          "num_generations (8)");
  s = {};
  s.temperature = 0;
  EXPECT_NE(messageOf(s).find("temperature is 0.000000; training samples"), std::string::npos);
  s = {};
  s.rewardWeights = {1, 2};
  EXPECT_EQ(messageOf(s), "reward_weights is of length 2; one for each of the 1 rewards is needed");
  s = {};
  s.lossType = "ppo";
  EXPECT_NE(messageOf(s).find("loss_type 'ppo' is unknown; use grpo"), std::string::npos);
  s = {};
  s.numGenerations = 1;
  EXPECT_EQ(messageOf(s), "num_generations is 1; expected at least 2");
  s = {};
  s.device = "tpu";
  EXPECT_EQ(messageOf(s), "device is 'tpu'; use cpu or cuda");
  s = {};
  s.dtype = "bfloat16";
  EXPECT_EQ(messageOf(s), "dtype is bfloat16 on the CPU; attention computes in float32 there: use --dtype float32, or "
                          "--device cuda");
}

} // namespace
