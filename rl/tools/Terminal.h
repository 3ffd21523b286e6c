// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a run shows on the terminal: one line with the time left, and curves as text.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace maskjit::rl {

/// One progress line: rewritten in place on a terminal, printed every `every` steps elsewhere.
class ProgressLine {
public:
  explicit ProgressLine(int64_t every);
  /// `done` of `total` steps, the last of which took `seconds`; `text` says what came out of it.
  void show(int64_t done, int64_t total, double seconds, const std::string &text);
  void finish();

private:
  int64_t every, started = -1;
  double spent = 0;
  bool terminal, open = false;
};

/// "47s", "3m 12s" or "2h 05m".
std::string duration(double seconds);

/// Points (x, y) as a text plot of `rows` lines, each column the mean of the points that fall into it.
std::string plot(const std::vector<std::pair<double, double>> &points, const std::string &title, int columns = 64,
                 int rows = 10);

} // namespace maskjit::rl
