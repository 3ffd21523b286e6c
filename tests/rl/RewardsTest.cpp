// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tables of completions and what they earn: right, wrong, empty, cut off, and known ways to cheat.
#include "rl/rewards/Reward.h"
#include <gtest/gtest.h>

using namespace maskjit::rl;
using namespace std::string_view_literals;

namespace {

struct Row {
  const char *what;
  std::string_view completion;
  bool finished;
  double correct, format;
};

// Prompt "478+365=", answer "843".
constexpr Row kTable[] = {
    {"right", "843", true, 1, 1},
    {"wrong", "833", true, 0, 1},
    {"empty", "", true, 0, 0},
    {"cut off, though the digits are right", "843", false, 0, 0},
    {"never stops", "8438438438438438", false, 0, 0},
    {"lists candidates", "843 833 743", true, 0, 0},
    {"answer inside a longer number", "18430", true, 0, 1},
    {"every digit there is", "0123456789", true, 0, 0},
    {"repeats the problem", "478+365=843", true, 0, 0},
    {"leading zero", "0843", true, 0, 0},
    {"sign", "+843", true, 0, 0},
    {"leading blank", " 843", true, 0, 0},
    {"trailing newline", "843\n", true, 0, 0},
    {"decimal point", "843.0", true, 0, 0},
    {"special token before the answer", "<|end|>843", true, 0, 0},
    {"stop token spelled out in bytes", "843<|return|>", true, 0, 0},
    {"NUL after the answer", "843\0"sv, true, 0, 0},
    {"full-width digits", "\xef\xbc\x98\xef\xbc\x94\xef\xbc\x93", true, 0, 0},
    {"invalid UTF-8", "843\xff", true, 0, 0},
    {"reward's name", "correct", true, 0, 0},
    {"a number of 40 digits", "8438438438438438438438438438438438438438", true, 0, 0},
    {"zero", "0", true, 0, 1},
};

TEST(Rewards, Table) {
  for (const Row &row : kTable) {
    Judged judged{"478+365=", row.completion, "843", row.finished};
    EXPECT_EQ(findReward("correct").judge(judged), row.correct) << row.what;
    EXPECT_EQ(findReward("format").judge(judged), row.format) << row.what;
  }
}

TEST(Rewards, EmptyAnswerCannotBeMatchedByEmptyCompletion) { EXPECT_EQ(rewardCorrect({"1+1=", "", "", true}), 0.0); }

TEST(Rewards, UnknownNameListsTheKnownOnes) {
  try {
    findReward("corect");
    FAIL() << "no error";
  } catch (const std::runtime_error &e) {
    EXPECT_STREQ(e.what(), "reward 'corect' is unknown; there are: correct, format, no_cheat, runs, speed, verdict");
  }
}

} // namespace
