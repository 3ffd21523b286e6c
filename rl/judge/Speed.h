// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From times to a speedup: median, spread, what noise can explain, and what no machine can do.
#pragma once
#include "rl/judge/Judge.h"

namespace maskjit::rl {

struct Speedup {
  double median = 0, spread = 0; // of reference time / time
  double gain = 1;               // the median where noise cannot explain it, else 1
};

/// A speedup is told from noise if three of four ratios lie above 1 + kNoiseFloor, and so does the median less twice
/// the spread. Without `noiseTest` any median above 1 counts.
Speedup speedupOf(const std::vector<Trial> &trials, bool noiseTest);

inline constexpr double kNoiseFloor = 0.05;

/// Seconds below which no program of the language can multiply on one core of this machine (or one GPU): its
/// arithmetic peak, with room to spare. A shorter time was not spent on the product.
double fastestSeconds(Language language, const MatmulShape &shape);

} // namespace maskjit::rl
