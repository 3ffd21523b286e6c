// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs of a batch and their judgements.
#include "rl/rewards/ProgramBatch.h"
#include "rl/Median.h"
#include <algorithm>
#include <stdexcept>
#include <unordered_map>

namespace maskjit::rl {

std::vector<ProgramResult> judgePrograms(const std::vector<Judged> &completions, const Task &task,
                                         const VerdictRewards &rewards, const JudgeFunction &judge) {
  std::vector<ProgramResult> results(completions.size());
  std::vector<std::string> distinct;
  std::unordered_map<std::string, size_t> placeOf;
  for (size_t i = 0; i < completions.size(); ++i) {
    Result<std::string> program = task.program(completions[i]);
    if (!program) {
      results[i].judgement.verdict = Verdict::Invalid;
      results[i].judgement.reward = rewards.of(Verdict::Invalid, 1);
      results[i].judgement.evidence = program.error().message;
      continue;
    }
    results[i].hasProgram = true;
    results[i].source = *program;
    if (placeOf.emplace(*program, distinct.size()).second)
      distinct.push_back(*program);
  }
  std::vector<Judgement> judgements = distinct.empty() ? std::vector<Judgement>() : judge(distinct);
  if (judgements.size() != distinct.size())
    throw std::runtime_error("the judge gave " + std::to_string(judgements.size()) + " judgements for " +
                             std::to_string(distinct.size()) + " programs");
  for (ProgramResult &result : results)
    if (result.hasProgram)
      result.judgement = judgements[placeOf.at(result.source)];
  return results;
}

void recordVerdicts(const std::vector<ProgramResult> &results, Metrics &metrics) {
  constexpr Verdict kAll[] = {Verdict::Ok,      Verdict::Wrong, Verdict::Invalid,
                              Verdict::Timeout, Verdict::Error, Verdict::Cheat};
  std::vector<double> speedups;
  for (const ProgramResult &result : results)
    speedups.push_back(result.judgement.verdict == Verdict::Ok ? result.judgement.speedup : 0);
  double sum = 0;
  for (double speedup : speedups)
    sum += speedup;
  for (Verdict verdict : kAll) {
    auto count = std::count_if(results.begin(), results.end(),
                               [&](const ProgramResult &r) { return r.judgement.verdict == verdict; });
    metrics.set(std::string("verdicts/") + nameOf(verdict), double(count) / double(results.size()));
  }
  metrics.set("speedup/mean", sum / double(results.size()));
  metrics.set("speedup/median", median(speedups));
  metrics.set("speedup/max", *std::max_element(speedups.begin(), speedups.end()));
}

} // namespace maskjit::rl
