// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Speeds, verdicts and the fastest programs of a run.
#include "rl/ProgramRecord.h"
#include "rl/Median.h"
#include <algorithm>
#include <nlohmann/json.hpp>

namespace maskjit::rl {

constexpr size_t kRanked = 8; // programs that are worth timing again at the end
constexpr size_t kVerdicts = 6;

void ProgramRecord::add(int64_t step, const std::vector<Judged> &completions,
                        const std::vector<ProgramResult> &results) {
  Batch batch{step, {}, std::vector<int64_t>(kVerdicts, 0)};
  for (size_t i = 0; i < results.size(); ++i) {
    const Judgement &j = results[i].judgement;
    ++batch.verdicts[size_t(j.verdict)];
    batch.speedups.push_back(j.verdict == Verdict::Ok ? j.speedup : 0);
    if (j.verdict != Verdict::Ok)
      continue;
    auto known = std::find_if(ranking.begin(), ranking.end(),
                              [&](const RankedProgram &p) { return p.source == results[i].source; });
    if (known == ranking.end())
      ranking.push_back({j.speedup, step, std::string(completions[i].completion), results[i].source});
    else if (j.speedup > known->speedup)
      known->speedup = j.speedup;
  }
  std::stable_sort(ranking.begin(), ranking.end(),
                   [](const RankedProgram &a, const RankedProgram &b) { return a.speedup > b.speedup; });
  if (ranking.size() > kRanked)
    ranking.resize(kRanked);
  batches.push_back(std::move(batch));
}

ProgramRecord::Curve ProgramRecord::medians() const {
  Curve out;
  for (const Batch &batch : batches)
    out.emplace_back(double(batch.step), median(batch.speedups));
  return out;
}

ProgramRecord::Curve ProgramRecord::fastest() const {
  Curve out;
  for (const Batch &batch : batches)
    out.emplace_back(double(batch.step), *std::max_element(batch.speedups.begin(), batch.speedups.end()));
  return out;
}

ProgramRecord::Curve ProgramRecord::share(Verdict verdict) const {
  Curve out;
  for (const Batch &batch : batches)
    out.emplace_back(double(batch.step), double(batch.verdicts[size_t(verdict)]) / double(batch.speedups.size()));
  return out;
}

double ProgramRecord::medianOf(size_t first, size_t last) const {
  std::vector<double> all;
  for (size_t i = first; i < last; ++i)
    all.insert(all.end(), batches[i].speedups.begin(), batches[i].speedups.end());
  return median(std::move(all));
}

static size_t tenthOf(size_t count) { return std::max<size_t>(1, count / 10); }

double ProgramRecord::medianOfFirstTenth() const { return empty() ? 0 : medianOf(0, tenthOf(batches.size())); }

double ProgramRecord::medianOfLastTenth() const {
  return empty() ? 0 : medianOf(batches.size() - tenthOf(batches.size()), batches.size());
}

VerdictCounts ProgramRecord::verdicts() const {
  VerdictCounts total;
  int64_t *const counts[kVerdicts] = {&total.ok,      &total.wrong, &total.invalid,
                                      &total.timeout, &total.error, &total.cheat};
  for (const Batch &batch : batches)
    for (size_t i = 0; i < kVerdicts; ++i)
      *counts[i] += batch.verdicts[i];
  return total;
}

nlohmann::json ProgramRecord::json() const {
  nlohmann::json steps = nlohmann::json::array(), best = nlohmann::json::array();
  for (const Batch &b : batches)
    steps.push_back({{"step", b.step}, {"speedups", b.speedups}, {"verdicts", b.verdicts}});
  for (const RankedProgram &p : ranking)
    best.push_back({{"speedup", p.speedup}, {"step", p.step}, {"completion", p.completion}, {"source", p.source}});
  return {{"batches", steps}, {"best", best}};
}

void ProgramRecord::restore(const nlohmann::json &saved) {
  batches.clear();
  ranking.clear();
  for (const nlohmann::json &b : saved.at("batches"))
    batches.push_back({b.at("step"), b.at("speedups"), b.at("verdicts")});
  for (const nlohmann::json &p : saved.at("best"))
    ranking.push_back({p.at("speedup"), p.at("step"), p.at("completion"), p.at("source")});
}

} // namespace maskjit::rl
