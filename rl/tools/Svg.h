// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Line charts as SVG files.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace maskjit::rl {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points; // x ascending
};

struct Chart {
  std::string title, xLabel, yLabel;
  std::vector<Series> series; // up to eight, told apart by colour and named at their ends
  bool fromZero = true;       // the y axis begins at 0
};

/// The text of an SVG image of 720 x 400 points; readable on white and without any style sheet.
std::string svg(const Chart &chart);

/// Steps of an axis: about `wanted` round values that cover [low, high].
std::vector<double> axisTicks(double low, double high, int wanted);

} // namespace maskjit::rl
