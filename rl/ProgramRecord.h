// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a run on programs has seen: speeds and verdicts of every step, and the fastest programs.
#pragma once
#include "rl/rewards/ProgramBatch.h"
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

namespace maskjit::rl {

struct RankedProgram {
  double speedup = 0;
  int64_t step = 0; // optimizer steps done when it was sampled
  std::string completion, source;
};

class ProgramRecord {
public:
  using Curve = std::vector<std::pair<double, double>>;

  /// All completions of one generation batch and what became of them.
  void add(int64_t step, const std::vector<Judged> &completions, const std::vector<ProgramResult> &results);

  bool empty() const { return batches.empty(); }
  /// Median speedup of the last batch.
  double lastMedian() const { return medians().back().second; }
  /// (step, median speedup of the batch's completions), those without a right program counted as 0.
  Curve medians() const;
  /// (step, fastest of the batch).
  Curve fastest() const;
  /// (step, share of the batch with the verdict).
  Curve share(Verdict verdict) const;
  /// Median speedup of all completions sampled in the first or the last tenth of the batches, one batch at least.
  double medianOfFirstTenth() const;
  double medianOfLastTenth() const;
  VerdictCounts verdicts() const;
  /// The fastest programs that differ, best first. A maximum over noisy timings is too good: time them again.
  const std::vector<RankedProgram> &best() const { return ranking; }

  nlohmann::json json() const;
  void restore(const nlohmann::json &saved);

private:
  struct Batch {
    int64_t step = 0;
    std::vector<double> speedups;
    std::vector<int64_t> verdicts; // counts in the order of Verdict
  };
  double medianOf(size_t first, size_t last) const;

  std::vector<Batch> batches;
  std::vector<RankedProgram> ranking;
};

} // namespace maskjit::rl
