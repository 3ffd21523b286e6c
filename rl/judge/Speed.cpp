// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Quartiles of ratios, and arithmetic peaks.
#include "rl/judge/Speed.h"
#include <algorithm>
#include <cmath>

namespace maskjit::rl {

// Peaks are bounds from above, so that no honest program meets them.
// A core retires two fused multiply-adds of the widest vectors (16 floats) a cycle, at 6 GHz or less: 384 GFLOP/s. Fast
// algorithms (Strassen) save at most two thirds at these sizes.
constexpr double kCoreFlops = 384e9 * 3;
// CPython makes an object of each product: tens of nanoseconds. A single one is generous for a multiply-add.
constexpr double kPythonFlops = 2e9;
// Tensor cores in bf16, the fastest that could be mistaken for fp32: 1000 TFLOP/s on an H100; B200 is at 2250.
constexpr double kGpuFlops = 2500e12;

/// Between two values where p falls between them.
static double quantile(const std::vector<double> &sorted, double p) {
  double at = p * double(sorted.size() - 1);
  auto low = size_t(at);
  size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - double(low)) * (sorted[high] - sorted[low]);
}

Speedup speedupOf(const std::vector<Trial> &trials, bool noiseTest) {
  std::vector<double> ratios;
  for (const Trial &t : trials)
    if (t.candidateSeconds > 0)
      ratios.push_back(t.referenceSeconds / t.candidateSeconds);
  if (ratios.empty())
    return {};
  std::sort(ratios.begin(), ratios.end());
  Speedup s;
  s.median = quantile(ratios, 0.5);
  s.spread = (quantile(ratios, 0.75) - quantile(ratios, 0.25)) / 2 / s.median;
  bool told = !noiseTest
                  ? s.median > 1
                  : quantile(ratios, 0.25) > 1 + kNoiseFloor && s.median > (1 + kNoiseFloor) * (1 + 2 * s.spread);
  s.gain = told ? s.median : 1;
  return s;
}

double fastestSeconds(Language language, const MatmulShape &shape) {
  double flops = 2.0 * shape.m * shape.n * shape.k;
  return flops / (language == Language::C ? kCoreFlops : language == Language::Python ? kPythonFlops : kGpuFlops);
}

} // namespace maskjit::rl
