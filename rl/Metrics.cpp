// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Averages of named numbers.
#include "rl/Metrics.h"
#include <cmath>
#include <limits>

namespace maskjit::rl {

double Metrics::mean(const std::string &name) const {
  double sum = 0;
  int64_t count = 0;
  if (auto it = values.find(name); it != values.end())
    for (double v : it->second)
      if (!std::isnan(v)) {
        sum += v;
        ++count;
      }
  return count ? sum / double(count) : std::numeric_limits<double>::quiet_NaN();
}

double Metrics::last(const std::string &name) const {
  auto it = values.find(name);
  return it == values.end() || it->second.empty() ? std::numeric_limits<double>::quiet_NaN() : it->second.back();
}

std::vector<std::string> Metrics::names() const {
  std::vector<std::string> out;
  for (const auto &entry : values)
    out.push_back(entry.first);
  return out;
}

} // namespace maskjit::rl
