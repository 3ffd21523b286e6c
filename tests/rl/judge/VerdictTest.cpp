// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names, and the order of rewards.
#include "rl/judge/Verdict.h"
#include <gtest/gtest.h>

using namespace maskjit::rl;

TEST(Verdict, NamesComeBack) {
  for (Verdict v : {Verdict::Ok, Verdict::Wrong, Verdict::Invalid, Verdict::Timeout, Verdict::Error, Verdict::Cheat})
    EXPECT_EQ(findVerdict(nameOf(v)), v);
  for (Language l : {Language::Python, Language::C, Language::Cuda})
    EXPECT_EQ(findLanguage(nameOf(l)), l);
  EXPECT_EQ(findVerdict("fine"), std::nullopt);
  EXPECT_EQ(languageOfFile("a.b/kernel.cu"), Language::Cuda);
  EXPECT_EQ(languageOfFile("kernel.cpp"), std::nullopt);
}

TEST(VerdictRewards, WorseFailuresEarnLess) {
  VerdictRewards r;
  EXPECT_TRUE(r.check());
  EXPECT_LT(r.of(Verdict::Cheat, 1), r.of(Verdict::Error, 1));
  EXPECT_LT(r.of(Verdict::Error, 1), r.of(Verdict::Wrong, 1));
  EXPECT_LT(r.of(Verdict::Wrong, 1), r.of(Verdict::Ok, 1));
  EXPECT_DOUBLE_EQ(r.of(Verdict::Ok, 8), r.of(Verdict::Ok, 1) + 3 * r.perDoubling);
  EXPECT_DOUBLE_EQ(r.of(Verdict::Cheat, 8), r.of(Verdict::Cheat, 1)); // speed is paid where it is right
}

TEST(VerdictRewards, AnyOtherOrderIsRefused) {
  auto refused = [](double VerdictRewards::*member, double value) {
    VerdictRewards r;
    r.*member = value;
    return !r.check();
  };
  EXPECT_TRUE(refused(&VerdictRewards::cheat, -1));
  EXPECT_TRUE(refused(&VerdictRewards::error, 0));
  EXPECT_TRUE(refused(&VerdictRewards::invalid, -3));
  EXPECT_TRUE(refused(&VerdictRewards::wrong, 0.5));
  EXPECT_TRUE(refused(&VerdictRewards::perDoubling, -1));
}
