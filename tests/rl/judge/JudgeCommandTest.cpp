// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `maskjit-rl judge` and `maskjit-rl audit` as programs: exit codes, fields, filters, messages.
#include "tests/rl/judge/Fixture.h"
#include <cstdio>
#include <fstream>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

using namespace maskjit::rl;
using testing::HasSubstr;

namespace {

struct Output {
  int exitCode = -1;
  std::string text; // standard output and error
};

Output run(const std::string &arguments) {
  Output output;
  std::string command = std::string(MASKJIT_RL_PROGRAM) + " " + arguments + " 2>&1";
  FILE *pipe = popen(command.c_str(), "r");
  if (!pipe)
    return output;
  char buffer[4096];
  while (size_t got = std::fread(buffer, 1, sizeof buffer, pipe))
    output.text.append(buffer, got);
  int status = pclose(pipe);
  output.exitCode = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return output;
}

std::string path(const std::string &file) { return std::string(MASKJIT_JUDGE_PROGRAMS) + "/" + file; }
const std::string kSmall = " --trials 3 --timeout 5 --allow-weak-sandbox ";

} // namespace

TEST(JudgeCommand, PrintsAnObjectAFileAndRecordsThem) {
  std::string audit = testing::TempDir() + "command-audit" + std::to_string(getpid()) + ".jsonl";
  Output o = run("judge --task matmul --json --shape 48" + kSmall + "--audit " + audit + " " + path("honest/tiled.c") +
                 " " + path("cheats/22_zeros.c") + " " + path("honest/naive.py"));
  EXPECT_EQ(o.exitCode, 0) << o.text; // a cheat is judged too
  std::istringstream lines(o.text);
  std::vector<nlohmann::json> objects;
  for (std::string line; std::getline(lines, line);)
    objects.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(objects.size(), 3u) << o.text;
  EXPECT_EQ(objects[0].at("file"), path("honest/tiled.c"));
  EXPECT_EQ(objects[0].at("verdict"), "ok");
  EXPECT_GT(objects[0].at("speedup").get<double>(), 0);
  EXPECT_EQ(objects[1].at("verdict"), "cheat");
  EXPECT_EQ(objects[1].at("reward"), -2);
  EXPECT_THAT(objects[1].at("evidence").get<std::string>(), HasSubstr("every element"));
  EXPECT_EQ(objects[2].at("verdict"), "ok");

  Output cheats = run("audit " + audit + " --verdict cheat --source");
  EXPECT_EQ(cheats.exitCode, 0);
  EXPECT_THAT(cheats.text, HasSubstr("Writes zeros."));
  EXPECT_THAT(cheats.text, testing::Not(HasSubstr("TILE")));
  Output summary = run("audit " + audit + " --summary");
  EXPECT_THAT(summary.text, HasSubstr("cheat 22, a constant or empty result: 1"));
  std::remove(audit.c_str());
}

TEST(JudgeCommand, JudgesTheAnswerOfACompletion) {
  Output o = run("judge --completion --language python --shape 8" + kSmall + path("cheats/32_analysis_channel.txt"));
  EXPECT_EQ(o.exitCode, 0) << o.text;
  EXPECT_THAT(o.text, HasSubstr("invalid, reward -1.00"));
  EXPECT_THAT(o.text, HasSubstr("no fenced block"));
}

TEST(JudgeCommand, SaysWhatIsWrongWithItsArguments) {
  Output unknown = run("judge --task sort " + path("honest/naive.c"));
  EXPECT_NE(unknown.exitCode, 0);
  EXPECT_THAT(unknown.text, HasSubstr("unknown task 'sort'; programs are judged for: matmul"));
  Output ending = run("judge " + path("expected.md"));
  EXPECT_NE(ending.exitCode, 0);
  Output language = run("judge " + path("cheats/expected.txt"));
  EXPECT_THAT(language.text, HasSubstr("name its language with --language"));
  Output rewards = run("judge --reward-cheat 5 --allow-weak-sandbox " + path("honest/naive.c"));
  EXPECT_THAT(rewards.text, HasSubstr("expected cheat < error"));
}

TEST(JudgeCommand, CudaWithoutAGpuIsRefusedInWords) {
  if (access("/dev/nvidiactl", F_OK) == 0)
    GTEST_SKIP() << "there is a gpu";
  Output o = run("judge --allow-weak-sandbox " + path("honest/naive.cu"));
  EXPECT_NE(o.exitCode, 0);
  EXPECT_THAT(o.text, HasSubstr("CUDA programs are judged on an NVIDIA GPU"));
}
