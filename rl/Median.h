// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The median of a list.
#pragma once
#include <algorithm>
#include <vector>

namespace maskjit::rl {

/// The middle value, or the mean of the two in the middle; 0 of an empty list.
inline double median(std::vector<double> values) {
  if (values.empty())
    return 0;
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

} // namespace maskjit::rl
