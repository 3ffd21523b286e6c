// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Medians, spreads, and what noise can explain.
#include "rl/judge/Speed.h"
#include <gtest/gtest.h>

using namespace maskjit::rl;

static std::vector<Trial> trialsOf(std::initializer_list<double> ratios) {
  std::vector<Trial> trials;
  for (double r : ratios)
    trials.push_back({r, 1, 0});
  return trials;
}

TEST(Speed, TheMedianCounts) {
  Speedup s = speedupOf(trialsOf({3, 1, 100, 2.9, 3.1}), true);
  EXPECT_DOUBLE_EQ(s.median, 3);
  EXPECT_NEAR(s.spread, 0.1 / 3, 1e-12); // quartiles 2.9 and 3.1
  EXPECT_DOUBLE_EQ(s.gain, 3);
}

TEST(Speed, WhatNoiseExplainsEarnsNothing) {
  EXPECT_EQ(speedupOf(trialsOf({1.02, 1.04, 1.03}), true).gain, 1);          // below the floor
  EXPECT_EQ(speedupOf(trialsOf({0.9, 1.3, 1.2, 0.95, 1.25}), true).gain, 1); // a quarter of the trials below 1
  EXPECT_EQ(speedupOf(trialsOf({1.1, 1.5, 3.0}), true).gain, 1);             // as wide as the gain
  EXPECT_DOUBLE_EQ(speedupOf(trialsOf({1.2, 1.21, 1.19}), true).gain, 1.2);
  EXPECT_DOUBLE_EQ(speedupOf(trialsOf({1.02, 1.04, 1.03}), false).gain, 1.03); // test switched off
  EXPECT_EQ(speedupOf(trialsOf({0.5, 0.4}), false).gain, 1);
  EXPECT_EQ(speedupOf({}, true).gain, 1);
}

TEST(Speed, LimitsAreFarBelowWhatMachinesDo) {
  MatmulShape cube{256, 256, 256};
  EXPECT_LT(fastestSeconds(Language::C, cube), 1e-4); // the best kernels need 0.4 ms on a core with AVX-512
  EXPECT_GT(fastestSeconds(Language::C, cube), 1e-5); // no time at all is no time
  EXPECT_LT(fastestSeconds(Language::Cuda, cube), fastestSeconds(Language::C, cube));
  EXPECT_GT(fastestSeconds(Language::Python, cube), fastestSeconds(Language::C, cube));
}
