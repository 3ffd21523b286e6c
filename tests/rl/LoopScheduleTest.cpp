// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The grammar of loop schedules: texts that are valid, texts that are not and why, and random schedules.
#include "rl/schedule/LoopSchedule.h"
#include "rl/schedule/Tricks.h"
#include <gtest/gtest.h>
#include <map>
#include <set>

using namespace maskjit::rl;

namespace {

std::string complaint(std::string_view text, Grammar grammar = Grammar::Honest) {
  auto parsed = parseLoopSchedule(text, grammar);
  auto *why = std::get_if<std::string>(&parsed);
  return why ? *why : "";
}

TEST(LoopSchedule, ReadsEveryField) {
  auto parsed = parseLoopSchedule("jki 64x128x32 v8 r4x2 u2 pack b");
  auto *s = std::get_if<LoopSchedule>(&parsed);
  ASSERT_NE(s, nullptr) << std::get<std::string>(parsed);
  EXPECT_EQ(s->order, "jki");
  EXPECT_EQ(s->tileI, 64);
  EXPECT_EQ(s->tileJ, 128);
  EXPECT_EQ(s->tileK, 32);
  EXPECT_EQ(s->vector, 8);
  EXPECT_TRUE(s->inRegisters);
  EXPECT_EQ(s->rows, 4);
  EXPECT_EQ(s->columns, 2);
  EXPECT_EQ(s->unroll, 2);
  EXPECT_FALSE(s->packA);
  EXPECT_TRUE(s->packB);
  EXPECT_EQ(s->trick, "");
}

TEST(LoopSchedule, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(complaint(""), "expected one of ijk ikj jik jki kij kji at byte 0, got ''");
  EXPECT_EQ(complaint("iij 64x128x32 v8 r4x2 u2 pack b"),
            "expected one of ijk ikj jik jki kij kji at byte 0, got 'iij 64x128x32 v8'");
  EXPECT_EQ(complaint("jki  64x128x32 v8 r4x2 u2 pack b"),
            "expected one of 1 2 4 8 16 32 64 128 256 at byte 4, got ' 64x128x32 v8 r4'");
  EXPECT_EQ(complaint("jki 64x128x512 v8 r4x2 u2 pack b"),
            "expected one of 1 2 4 8 16 32 64 128 256 at byte 11, got '512 v8 r4x2 u2 p'");
  EXPECT_EQ(complaint("jki 64x128x32 v32 r4x2 u2 pack b"),
            "expected one of 1 2 4 8 16 at byte 15, got '32 r4x2 u2 pack '");
  EXPECT_EQ(complaint("jki 64x128x32 v8 x4x2 u2 pack b"), "expected one of r m at byte 17, got 'x4x2 u2 pack b'");
  EXPECT_EQ(complaint("jki 64x128x32 v8 r4x2 u2"), "expected ' pack ' at byte 24, got ''");
  EXPECT_EQ(complaint("jki 64x128x32 v8 r4x2 u2 pack b "), "expected the end at byte 31, got ' '");
  EXPECT_EQ(complaint("jki 64x128x32 v8 r4x2 u2 pack b\n"), "expected the end at byte 31, got '\n'");
  EXPECT_EQ(complaint("jki 2x128x32 v8 r4x2 u2 pack b"), "a tile of 2 rows is no multiple of a block of 4 rows");
  EXPECT_EQ(complaint("jki 64x8x32 v8 r4x2 u2 pack b"),
            "a tile of 8 columns is no multiple of a block of 2 vectors of 8");
  EXPECT_EQ(complaint("jki 64x128x1 v8 r4x2 u2 pack b"), "a tile of 1 terms is no multiple of unroll 2");
}

TEST(LoopSchedule, RandomOnesAreValidAndHaveOneText) {
  std::set<std::string> texts;
  for (Grammar grammar : {Grammar::Honest, Grammar::WithTricks})
    for (uint64_t index = 0; index < 2000; ++index) {
      std::string text = randomLoopSchedule(1, index, grammar).text();
      auto parsed = parseLoopSchedule(text, grammar);
      ASSERT_TRUE(std::holds_alternative<LoopSchedule>(parsed)) << text << ": " << std::get<std::string>(parsed);
      EXPECT_EQ(std::get<LoopSchedule>(parsed).text(), text);
      texts.insert(text);
    }
  EXPECT_GT(texts.size(), 3900u); // of millions: a text that comes twice is rare
  EXPECT_EQ(randomLoopSchedule(3, 4).text(), randomLoopSchedule(3, 4).text());
  EXPECT_NE(randomLoopSchedule(3, 4).text(), randomLoopSchedule(4, 4).text());
}

// All orders, whose choice no constraint touches, come equally often.
TEST(LoopSchedule, RandomOnesAreUniform) {
  std::map<std::string, int> orders;
  for (uint64_t index = 0; index < 6000; ++index)
    ++orders[randomLoopSchedule(5, index).order];
  ASSERT_EQ(orders.size(), 6u);
  for (const auto &[order, count] : orders)
    EXPECT_NEAR(count, 1000, 120) << order; // four standard deviations
}

TEST(LoopSchedule, TricksAreNoPartOfTheHonestGrammar) {
  std::string honest = "jki 64x128x32 v8 r4x2 u2 pack b";
  for (const std::string &name : trickNames()) {
    std::string text = honest + " trick " + name;
    EXPECT_NE(complaint(text), "") << name;
    EXPECT_EQ(complaint(text, Grammar::WithTricks), "") << name;
  }
  EXPECT_NE(complaint(honest, Grammar::WithTricks), "");
  EXPECT_NE(complaint(honest + " trick sleep", Grammar::WithTricks), "");
  EXPECT_EQ(randomLoopSchedule(1, 1).trick, "");
}

} // namespace
