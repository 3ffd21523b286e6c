// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The record of everything that was judged: one JSON object a line.
//
//   {"time": seconds since 1970, "task": "matmul", "language": "c", "shape": [m, n, k], "seed": 123, "verdict": "ok",
//    "cheat": 0, "speedup": 3.1, "spread": 0.01, "reward": 2.1, "evidence": "...",
//    "trials": [[reference seconds, seconds, error over bound], ...], "source": "..."}
#pragma once
#include "rl/judge/Judge.h"
#include <mutex>

namespace maskjit::rl {

struct AuditEntry {
  double time = 0;
  Language language = Language::C;
  MatmulShape shape;
  uint64_t seed = 0;
  Judgement judgement;
  std::string source;
};

class AuditLog {
public:
  /// Opens `path` for appending.
  static Result<std::unique_ptr<AuditLog>> open(const std::string &path);
  ~AuditLog();
  /// One line, written at once, from any thread.
  void write(const AuditEntry &entry);

private:
  explicit AuditLog(int descriptor) : descriptor(descriptor) {}
  const int descriptor;
  std::mutex mutex;
};

struct AuditFilter {
  std::optional<Verdict> verdict;
  int cheat = 0; // 0: any
  double minSpeedup = 0;
  size_t last = 0; // of those that match; 0: all
};
/// Errors name the line that is not an entry.
Result<std::vector<AuditEntry>> readAudit(const std::string &path, const AuditFilter &filter);

/// Counts of verdicts in `parts` equal stretches of `entries`, in their order: a policy that starts to cheat shows.
std::vector<VerdictCounts> countOverTime(const std::vector<AuditEntry> &entries, size_t parts);

} // namespace maskjit::rl
