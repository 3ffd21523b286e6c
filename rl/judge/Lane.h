// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Judging on one core: the reference's worker stays, programs come and go beside it.
#pragma once
#include "rl/judge/QuietCore.h"
#include "rl/judge/Workshop.h"

namespace maskjit::rl {

/// Not for two threads at once.
class Lane {
public:
  static Result<std::unique_ptr<Lane>> create(const JudgeOptions &options, int cpu,
                                              const std::set<SandboxLayer> &layers);
  /// `seed`: of the inputs of this program.
  Judgement judge(const std::string &source, uint64_t seed);

private:
  Lane(const JudgeOptions &options, int cpu) : options(options), cpu(cpu) {}
  std::string startReference();
  /// The verdict of one call's outcome, or nothing if its result is right.
  std::optional<Fault> check(const Product &product, const CallOutcome &outcome, double &error);
  std::optional<Fault> runTrials(Worker &worker, uint64_t seed, std::vector<Trial> &trials);
  std::optional<Fault> checkSpeed(const std::vector<Trial> &trials) const;

  const JudgeOptions &options;
  const int cpu;
  std::unique_ptr<Workshop> shop;
  std::unique_ptr<Worker> reference;
  QuietCore core;
  std::vector<std::unique_ptr<Product>> products; // of the program at hand, in the order of its calls
};

} // namespace maskjit::rl
