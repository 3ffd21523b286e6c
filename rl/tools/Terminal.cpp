// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Progress line and text plots.
#include "rl/tools/Terminal.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace maskjit::rl {

std::string duration(double seconds) {
  int64_t s = std::llround(std::max(0.0, seconds));
  if (s < 60)
    return fmt::format("{}s", s);
  if (s < 3600)
    return fmt::format("{}m {:02}s", s / 60, s % 60);
  return fmt::format("{}h {:02}m", s / 3600, s / 60 % 60);
}

ProgressLine::ProgressLine(int64_t every) : every(std::max<int64_t>(1, every)), terminal(isatty(STDERR_FILENO)) {}

void ProgressLine::show(int64_t done, int64_t total, double seconds, const std::string &text) {
  if (started < 0)
    started = done - 1;
  spent += seconds;
  if (!terminal && done % every != 0 && done != total)
    return;
  double each = spent / double(std::max<int64_t>(1, done - started));
  fmt::print(stderr, "{}step {}/{}  {}  {:.2f} s/step  {} left{}", terminal ? "\r" : "", done, total, text, each,
             duration(each * double(total - done)), terminal ? "\033[K" : "\n");
  std::fflush(stderr);
  open = terminal;
}

void ProgressLine::finish() {
  if (open)
    std::fputc('\n', stderr);
  open = false;
}

std::string plot(const std::vector<std::pair<double, double>> &points, const std::string &title, int columns,
                 int rows) {
  if (points.size() < 2)
    return "";
  double left = points.front().first, right = points.back().first;
  auto [lowest, highest] = std::minmax_element(points.begin(), points.end(),
                                               [](const auto &a, const auto &b) { return a.second < b.second; });
  double low = lowest->second, high = highest->second;
  double span = high > low ? high - low : 1;
  columns = std::min<int>(columns, int(points.size()));
  std::vector<double> sum(size_t(columns), 0), count(size_t(columns), 0);
  for (const auto &[x, y] : points) {
    auto column = size_t(std::min<double>(columns - 1, (x - left) / (right - left) * columns));
    sum[column] += y;
    count[column] += 1;
  }
  std::vector<std::string> grid(size_t(rows), std::string(size_t(columns), ' '));
  for (size_t c = 0; c < size_t(columns); ++c)
    if (count[c] > 0)
      grid[size_t(std::lround((high - sum[c] / count[c]) / span * (rows - 1)))][c] = '*';
  std::string out = title + "\n";
  for (int r = 0; r < rows; ++r)
    out += fmt::format("{:>8.3f} |{}\n", high - span * r / (rows - 1), grid[size_t(r)]);
  out += fmt::format("{:>8} +{}\n{:>10}{:<{}}{}\n", "", std::string(size_t(columns), '-'), "", left,
                     std::max(1, columns - 4), right);
  return out;
}

} // namespace maskjit::rl
