// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Charts: round ticks, every point inside the frame, names escaped.
#include "rl/tools/Svg.h"
#include <gtest/gtest.h>
#include <sstream>

using namespace maskjit::rl;

namespace {

TEST(Svg, TicksAreRoundAndCoverTheRange) {
  EXPECT_EQ(axisTicks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(axisTicks(0, 37, 5), (std::vector<double>{0, 10, 20, 30, 40}));
  EXPECT_EQ(axisTicks(-3, 4, 4), (std::vector<double>{-4, -2, 0, 2, 4}));
  EXPECT_EQ(axisTicks(5, 5, 4).front(), 5);
}

TEST(Svg, PointsLieInTheFrame) {
  Chart chart{"Speed & verdicts", "steps", "a < b", {{"median", {{0, 1}, {10, 30}, {20, 12}}}, {"none", {}}}};
  std::string text = svg(chart);
  EXPECT_EQ(text.rfind("<svg ", 0), 0u);
  EXPECT_NE(text.find("Speed &amp; verdicts"), std::string::npos);
  EXPECT_NE(text.find("a &lt; b"), std::string::npos);
  size_t begin = text.find("<polyline points=\"");
  ASSERT_NE(begin, std::string::npos);
  begin += std::string("<polyline points=\"").size();
  std::istringstream points(text.substr(begin, text.find('"', begin) - begin));
  int count = 0;
  for (std::string point; points >> point; ++count) {
    double x = std::stod(point), y = std::stod(point.substr(point.find(',') + 1));
    EXPECT_TRUE(x >= 64 && x <= 570 && y >= 40 && y <= 352) << point;
  }
  EXPECT_EQ(count, 3);
  EXPECT_EQ(text.find("<polyline", begin), std::string::npos); // a series without points draws nothing
}

} // namespace
