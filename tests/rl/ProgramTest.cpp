// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The program itself: exit codes, Ctrl-C and resume, and the shipped warm start.
#include "rl/Checkpoint.h"
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

const std::string kWarmStart = std::string(MASKJIT_SOURCE_DIR) + "/rl/warmstart";

class Program : public testing::Test {
protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "maskjit-rl-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root = name;
  }
  void TearDown() override { fs::remove_all(root); }

  /// Starts maskjit-rl with its output in root/log.
  pid_t start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), MASKJIT_RL_PROGRAM);
    pid_t child = fork();
    if (child == 0) {
      std::string log = (root / "log").string();
      if (!std::freopen(log.c_str(), "w", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
        _exit(126);
      std::vector<char *> argv;
      for (std::string &argument : arguments)
        argv.push_back(argument.data());
      argv.push_back(nullptr);
      execv(argv[0], argv.data());
      _exit(127);
    }
    return child;
  }
  static int exitCode(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  int run(const std::vector<std::string> &arguments) { return exitCode(start(arguments)); }

  std::string log() const { return text("log"); }
  std::string text(const std::string &file) const {
    std::ifstream in(root / file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::vector<std::string> shortTraining(std::vector<std::string> more) {
    std::vector<std::string> all{"train",
                                 "--model",
                                 kWarmStart,
                                 "--output-dir",
                                 (root / "out").string(),
                                 "--max-steps",
                                 "40",
                                 "--per-device-train-batch-size",
                                 "8",
                                 "--max-completion-length",
                                 "6",
                                 "--router-aux-loss-coef",
                                 "0"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  fs::path root;
};

TEST_F(Program, CtrlCSavesAndResumeGoesOn) {
  pid_t child = start(shortTraining({}));
  while (text("out/metrics.jsonl").empty() && waitpid(child, nullptr, WNOHANG) == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  kill(child, SIGINT);
  ASSERT_EQ(exitCode(child), 130) << log();
  EXPECT_NE(log().find("go on with --resume"), std::string::npos) << log();
  std::string checkpoint = maskjit::rl::findCheckpoint((root / "out").string());
  for (const char *file : {"adapter_config.json", "adapter_model.safetensors", "trainer_state.json"})
    EXPECT_TRUE(fs::exists(fs::path(checkpoint) / file)) << file;
  ASSERT_EQ(run(shortTraining({"--resume", (root / "out").string()})), 0) << log();
  EXPECT_NE(log().find("resumed from " + checkpoint), std::string::npos) << log();
  std::string lines = text("out/metrics.jsonl");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 40);
}

TEST_F(Program, MistakesGetOneMessageAndAnExitCode) {
  EXPECT_EQ(run(shortTraining({"--loss-type", "ppo"})), 1);
  EXPECT_EQ(log(), "error: loss_type 'ppo' is unknown; use grpo, bnpo, dr_grpo, dapo, cispo, sapo, luspo or vespo\n");
  EXPECT_EQ(run({"eval", "--model", (root / "nothing").string()}), 1);
  EXPECT_EQ(log().rfind("error: ", 0), 0u) << log();
  EXPECT_EQ(run(shortTraining({"--resume", (root / "nothing").string()})), 1);
  EXPECT_NE(log().find("nothing to resume in"), std::string::npos) << log();
  EXPECT_NE(run({}), 0);
  EXPECT_NE(run({"train", "--no-such-flag"}), 0);
}

TEST_F(Program, WarmStartIsSmallAndOftenWrong) {
  uintmax_t bytes = 0;
  for (const auto &entry : fs::directory_iterator(kWarmStart))
    bytes += entry.file_size();
  EXPECT_LE(bytes, 4u << 20);
  ASSERT_EQ(run({"eval", "--model", kWarmStart, "--json", "--eval-samples", "300"}), 0) << log();
  nlohmann::json result = nlohmann::json::parse(log());
  EXPECT_GE(result["accuracy"].get<double>(), 0.2);
  EXPECT_LE(result["accuracy"].get<double>(), 0.5);
  EXPECT_GE(result["format"].get<double>(), 0.98);
}

class Learning : public Program {
protected:
  /// Held-out accuracy before and after `steps` of the shipped configuration.
  std::pair<double, double> beforeAndAfter(const std::string &steps, std::vector<std::string> more) {
    std::vector<std::string> all{"train",
                                 "--config",
                                 std::string(MASKJIT_SOURCE_DIR) + "/rl/configs/arithmetic.toml",
                                 "--model",
                                 kWarmStart,
                                 "--output-dir",
                                 (root / "out").string(),
                                 "--max-steps",
                                 steps,
                                 "--eval-steps",
                                 steps};
    all.insert(all.end(), more.begin(), more.end());
    EXPECT_EQ(run(all), 0) << log();
    std::istringstream lines(text("out/metrics.jsonl"));
    nlohmann::json first, last;
    for (std::string line; std::getline(lines, line);) {
      last = nlohmann::json::parse(line);
      if (first.is_null())
        first = last;
    }
    return {first["eval_accuracy"], last["eval_accuracy"]};
  }
};

// A third of the shipped run: enough to see that it learns, and that it learns from the rewards.
TEST_F(Learning, RewardsLiftHeldOutAccuracy) {
  auto [before, after] = beforeAndAfter("40", {});
  EXPECT_GE(after - before, 0.15);
}

TEST_F(Learning, ShuffledRewardsDoNot) {
  auto [before, after] = beforeAndAfter("40", {"--shuffle-rewards"});
  EXPECT_NEAR(after, before, 0.05);
}

TEST_F(Learning, LearningRateZeroChangesNothing) {
  auto [before, after] = beforeAndAfter("2", {"--learning-rate", "0"});
  EXPECT_EQ(after, before);
}

} // namespace
