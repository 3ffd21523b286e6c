// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tasks whose answers are programs: prompts, what is read from completions, and a short run with a stand-in judge.
#include "rl/Trainer.h"
#include "rl/schedule/Tricks.h"
#include "rl/tasks/Completion.h"
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace maskjit;
using namespace maskjit::rl;
namespace fs = std::filesystem;

namespace {

Result<std::string> programOf(const char *task, std::string_view completion, bool finished = true) {
  return findTask(task)->program({"prompt", completion, "", finished});
}

TEST(Matmul, PromptAsksForNativePythonInBackticks) {
  std::string prompt = findTask("matmul")->draw(Split::Train, 1, 2).prompt;
  for (const char *part : {"matrix multiplication function using only native Python code", "list of list of numbers",
                           "```python\ndef matmul(A, B):", "<|start|>user<|message|>"})
    EXPECT_NE(prompt.find(part), std::string::npos) << part;
  std::string end = "<|start|>assistant";
  EXPECT_EQ(prompt.substr(prompt.size() - end.size()), end);
}

TEST(Matmul, TheLastBlockOfTheFinalChannelIsTheProgram) {
  auto program = programOf("matmul", "<|channel|>analysis<|message|>```python\nx\n```<|end|><|start|>assistant"
                                     "<|channel|>final<|message|>```python\ndef matmul(A, B):\n    return 1\n```");
  ASSERT_TRUE(program);
  EXPECT_EQ(*program, "def matmul(A, B):\n    return 1\n");
  auto none = programOf("matmul", "<|channel|>analysis<|message|>```python\nx\n```<|end|>");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "the final channel ends without a fenced block of code");
  auto cut = programOf("matmul", "```python\ndef matmul(A, B):\n```", false);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().message, "the completion was cut off at max_completion_length");
}

TEST(Matmul, TeacherAnswersWithAProgram) {
  auto task = findTask("matmul");
  std::string answer = task->teacherAnswer(Split::Sft, 1, 1, 1);
  EXPECT_EQ(task->grade({"prompt", answer, "", true}).correct, 1);
  EXPECT_EQ(task->language(), Language::Python);
}

TEST(MatmulSchedule, ATextBecomesAKernel) {
  auto program = programOf("matmul-schedule", "jki 64x128x64 v8 r4x2 u2 pack b");
  ASSERT_TRUE(program);
  EXPECT_NE(program->find("void matmul(const float *a, const float *b, float *c, int m, int n, int k)"),
            std::string::npos);
  EXPECT_FALSE(programOf("matmul-schedule", "jki 64x128x64 v8 r4x2 u2 pack b", false));
  EXPECT_FALSE(programOf("matmul-schedule", "```\njki 64x128x64 v8 r4x2 u2 pack b\n```"));
  EXPECT_FALSE(programOf("matmul-schedule", "jki 64x128x64 v8 r4x2 u2 pack b trick memo"));
  EXPECT_EQ(findTask("matmul-schedule")->language(), Language::C);
  EXPECT_EQ(findTask("arithmetic")->language(), std::nullopt);
}

TEST(MatmulSchedule, TricksStandInTheProgram) {
  for (const Trick &trick : tricks()) {
    auto program = programOf("matmul-schedule-tricks", "jki 64x128x64 v8 r4x2 u2 pack b trick " + trick.name);
    ASSERT_TRUE(program) << trick.name;
    EXPECT_NE(program->find("// trick: " + trick.what), std::string::npos);
    EXPECT_NE(program->find("multiply(const float *a"), std::string::npos);
  }
}

TEST(Programs, RewardsOfProgramsNeedATaskWithPrograms) {
  Settings settings;
  settings.rewards = {"correct", "speed"};
  try {
    settings.validate();
    FAIL() << "no error";
  } catch (const std::runtime_error &e) {
    EXPECT_STREQ(e.what(), "reward is 'speed'; it needs a task that asks for programs, 'arithmetic' does not");
  }
  settings.task = "matmul-schedule";
  settings.validate();
  settings.withoutMeasures = {"fresh_input"};
  try {
    settings.validate();
    FAIL() << "no error";
  } catch (const std::runtime_error &e) {
    EXPECT_NE(std::string(e.what()).find("without names the counter-measure 'fresh_input'; there are: static_filter"),
              std::string::npos)
        << e.what();
  }
}

TEST(Programs, EachCounterMeasureOfATrickExists) {
  Settings settings;
  settings.task = "matmul-schedule-tricks";
  for (const Trick &trick : tricks()) {
    settings.withoutMeasures = trick.defeatedBy;
    for (const std::string &name : trick.defeatedBy)
      EXPECT_NO_THROW(settings.judgeOptions()) << name;
  }
}

/// The speedup is the width of the vectors: what a policy can learn, and no clock in it.
std::vector<Judgement> widthJudge(const std::vector<std::string> &sources) {
  std::vector<Judgement> out;
  for (const std::string &source : sources) {
    Judgement j;
    j.verdict = Verdict::Ok;
    j.speedup = j.gain = std::atof(source.c_str() + source.find(" v") + 2);
    out.push_back(j);
  }
  return out;
}

class ScheduleRun : public testing::Test {
protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "maskjit-schedule-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root = name;
    settings.model = std::string(MASKJIT_SOURCE_DIR) + "/rl/warmstart-schedule";
    settings.task = "matmul-schedule";
    settings.rewards = {"format", "runs", "correct", "speed", "no_cheat"};
    settings.routerAuxLossCoef = 0;
    settings.learningRate = 4e-3;
    settings.lrSchedulerType = "constant";
    settings.numGenerations = settings.perDeviceTrainBatchSize = 8;
    settings.maxCompletionLength = 40;
    settings.maxSteps = 4;
    settings.saveSteps = 0;
  }
  void TearDown() override { fs::remove_all(root); }

  std::unique_ptr<Trainer> trainer(const std::string &output, JudgeFunction judge, const std::string &resume = "") {
    settings.outputDir = (root / output).string();
    return std::make_unique<Trainer>(settings, GptOss::load(settings.model, at::kCPU, at::kFloat),
                                     Tokenizer::load(settings.model), resume, std::move(judge));
  }

  fs::path root;
  Settings settings;
};

TEST_F(ScheduleRun, NeedsAJudge) {
  try {
    trainer("none", {});
    FAIL() << "no error";
  } catch (const std::runtime_error &e) {
    EXPECT_STREQ(e.what(), "the task 'matmul-schedule' asks for programs, so the trainer needs a judge");
  }
}

TEST_F(ScheduleRun, ResumeGoesOnWithTheSameCurve) {
  std::atomic<bool> stop{false};
  auto whole = trainer("whole", widthJudge);
  whole->run(stop);
  EXPECT_GT(whole->programs().verdicts().ok, 20); // of 32: the warm start writes valid schedules
  trainer("parts", widthJudge)->run(stop, [&](const StepReport &r) { stop = r.step == 2; });
  stop = false;
  auto resumed = trainer("parts", widthJudge, findCheckpoint((root / "parts").string()));
  EXPECT_EQ(resumed->step(), 2);
  resumed->run(stop);
  EXPECT_EQ(resumed->programs().json(), whole->programs().json());
  std::ifstream in(root / "parts" / "metrics.jsonl");
  std::string line;
  int lines = 0;
  for (; std::getline(in, line); ++lines)
    for (const char *name :
         {"verdicts/ok", "verdicts/cheat", "speedup/median", "rewards/speed/mean", "rewards/no_cheat/std"})
      EXPECT_TRUE(nlohmann::json::parse(line).contains(name)) << name;
  EXPECT_EQ(lines, 4);
}

} // namespace
