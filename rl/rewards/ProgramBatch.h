// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Judges the programs of a batch of completions, each distinct program once.
#pragma once
#include "rl/Metrics.h"
#include "rl/judge/Judge.h"
#include "rl/tasks/Task.h"
#include <functional>
#include <string>
#include <vector>

namespace maskjit::rl {

/// Judgements in the order of the sources: Judge::judgeAll, or a stand-in in tests.
using JudgeFunction = std::function<std::vector<Judgement>(const std::vector<std::string> &)>;

/// What became of one completion.
struct ProgramResult {
  bool hasProgram = false;
  std::string source;  // empty without a program
  Judgement judgement; // without a program: invalid, speedup 0, the reason as evidence
};

/// Equal programs of one batch share one judgement. That is honest: a judgement is a draw that depends on the program
/// and on inputs and noise that no program can foresee, so sharing it changes no completion's expected reward; and it
/// favours nobody, because a program that is sampled often gets no more chances at a lucky timing than one sampled
/// once. Judgements are not kept for later batches: a lucky one is not paid twice.
std::vector<ProgramResult> judgePrograms(const std::vector<Judged> &completions, const Task &task,
                                         const VerdictRewards &rewards, const JudgeFunction &judge);

/// Records the share of each verdict as verdicts/<name>, and speedup/{median,mean,max} over all completions, those
/// without a right program counted as 0.
void recordVerdicts(const std::vector<ProgramResult> &results, Metrics &metrics);

} // namespace maskjit::rl
