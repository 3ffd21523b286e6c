// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times and curves as text.
#include "rl/tools/Terminal.h"
#include <gtest/gtest.h>

using namespace maskjit::rl;

namespace {

TEST(Duration, UnitsFollowTheLength) {
  EXPECT_EQ(duration(0.4), "0s");
  EXPECT_EQ(duration(59.4), "59s");
  EXPECT_EQ(duration(192), "3m 12s");
  EXPECT_EQ(duration(7500), "2h 05m");
  EXPECT_EQ(duration(-1), "0s");
}

TEST(Plot, RisingLineGoesFromBottomLeftToTopRight) {
  EXPECT_EQ(plot({{0, 0}, {1, 1}, {2, 2}}, "rise", 3, 3), "rise\n"
                                                          "   2.000 |  *\n"
                                                          "   1.000 | * \n"
                                                          "   0.000 |*  \n"
                                                          "         +---\n"
                                                          "          02\n");
}

TEST(Plot, ColumnsAverageAndFlatLinesStayInside) {
  std::string averaged = plot({{0, 0}, {1, 2}, {2, 4}, {3, 6}}, "mean", 2, 4);
  EXPECT_EQ(averaged.substr(0, 5), "mean\n");
  EXPECT_NE(averaged.find("*"), std::string::npos);
  EXPECT_NE(plot({{0, 1}, {1, 1}}, "flat", 2, 3).find("1.000 |**"), std::string::npos);
  EXPECT_EQ(plot({{0, 1}}, "one point"), "");
}

} // namespace
