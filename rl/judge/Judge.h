// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Judges programs that multiply matrices: right or wrong, how fast, and whether they cheat.
//
// A program runs in a sandboxed worker that is taken to be hostile as a whole. It gets the inputs of one trial and
// returns their product; clocks, seeds and expected results stay here. A trial lasts from before the first byte of its
// inputs is given away until the last byte of the product is back, and every product is compared with one in double
// precision. Whatever a program does to its own process, only a right product earned in less time pays.
#pragma once
#include "rl/judge/CounterMeasures.h"
#include "rl/judge/Verdict.h"
#include <cstdint>
#include <memory>
#include <vector>

namespace maskjit::rl {

/// C [m, n] = A [m, k] B [k, n], row-major.
struct MatmulShape {
  int m = 0, n = 0, k = 0;
};

/// One run of the reference and one of the program, one after the other on the same core.
struct Trial {
  double referenceSeconds = 0, candidateSeconds = 0; // CPU time, by the kernel's accounts
  double error = 0; // largest error of an element over its bound: at most 1 where the product is right
};

struct Judgement {
  Verdict verdict = Verdict::Error;
  double speedup = 0; // median over the trials of reference time / time; 0 unless ok
  double spread = 0;  // of those ratios: half the range of their middle half, over the median
  double gain = 1;    // speedup where it can be told from noise, else 1
  double reward = 0;
  int cheat = 0; // its number in rl/judge/Cheats.h; 0: none
  std::string evidence;
  std::vector<Trial> trials;
};

struct JudgeOptions {
  Language language = Language::C;
  MatmulShape shape; // of every trial; zeros: 256 cubed for C, 64 cubed for Python, 1024 cubed for CUDA
  int trials = 5;    // timed; one untimed call goes before
  uint64_t seed = 0; // of the inputs; 0: of the system's entropy, which no program can know
  /// Of a program: to wait for its core to be quiet, and to repeat trials that were disturbed (QuietCore.h).
  double patienceSeconds = 0;
  double timeoutSeconds = 10;           // for each step: start, compile, one call
  size_t memoryBytes = size_t(1) << 30; // of the worker
  VerdictRewards rewards;
  CounterMeasures counterMeasures;
  std::string reference; // source of another reference kernel; empty: the plain triple loop in the same language
  std::vector<int> cpus; // lanes, one a core; empty: every core that this process may use
  bool allowWeakSandbox = false; // go on where the machine offers less than the sandbox's minimum
  std::string auditFile;         // JSONL, appended to; empty: none
};

/// How often each verdict was given.
struct VerdictCounts {
  int64_t ok = 0, wrong = 0, invalid = 0, timeout = 0, error = 0, cheat = 0;
  void add(Verdict verdict);
};

class Judge {
public:
  /// Starts the reference workers. Errors: rewards out of order, no compiler, a sandbox below the minimum, no GPU.
  static Result<std::unique_ptr<Judge>> create(JudgeOptions options);
  ~Judge();

  /// Never throws for what a program does. Uses the first lane.
  Judgement judge(const std::string &source);
  /// The same for many, a lane a core, in the order of `sources`.
  std::vector<Judgement> judgeAll(const std::vector<std::string> &sources);

  const JudgeOptions &options() const; // with the defaults filled in
  /// Of all programs so far.
  VerdictCounts counts() const;

private:
  Judge();
  struct State;
  std::unique_ptr<State> state;
};

} // namespace maskjit::rl
