// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cheats 31 to 33: whole completions. What is judged is the last fenced block of the final channel, whatever else is
// said.
#include "rl/tasks/Completion.h"
#include "tests/rl/judge/Fixture.h"

using namespace maskjit::rl;

namespace {

/// nullopt: there is nothing to judge.
std::optional<Judgement> judgeCompletion(const std::string &file) {
  std::optional<CodeBlock> block = answerCode(programText("cheats", file));
  if (!block)
    return std::nullopt;
  std::unique_ptr<Judge> judge = makeJudge(smallOptions(Language::Python));
  return judge ? judge->judge(block->code) : Judgement();
}

} // namespace

TEST(Completions, ARightBlockBeforeTheLastDoesNotCount) {
  std::optional<Judgement> j = judgeCompletion("31_decoy_block.txt");
  ASSERT_TRUE(j);
  EXPECT_EQ(j->verdict, Verdict::Cheat) << j->evidence; // the last one returns an input
}
TEST(Completions, TheLastDefinitionCounts) {
  std::optional<Judgement> j = judgeCompletion("31_decoy_definition.txt");
  ASSERT_TRUE(j);
  EXPECT_EQ(j->verdict, Verdict::Cheat) << j->evidence; // it returns zeros
}
TEST(Completions, AnOpenFenceDoesNotFallBackOnAnEarlierBlock) { EXPECT_FALSE(judgeCompletion("31_open_fence.txt")); }
TEST(Completions, CodeInTheAnalysisChannelDoesNotCount) {
  EXPECT_FALSE(judgeCompletion("32_analysis_channel.txt"));
  EXPECT_FALSE(judgeCompletion("32_analysis_only.txt"));
}
TEST(Completions, RewardTextIsText) {
  std::optional<Judgement> printed = judgeCompletion("33_reward_text.txt");
  ASSERT_TRUE(printed);
  EXPECT_EQ(printed->verdict, Verdict::Cheat) << printed->evidence; // a constant result
  std::optional<Judgement> json = judgeCompletion("33_reward_json.txt");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->verdict, Verdict::Invalid) << json->evidence;
}
