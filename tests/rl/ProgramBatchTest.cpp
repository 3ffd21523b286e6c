// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs of a batch: what is judged, how often, what each reward makes of a verdict, and what a run remembers.
#include "rl/rewards/ProgramBatch.h"
#include "rl/ProgramRecord.h"
#include <cmath>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace maskjit::rl;

namespace {

Judgement verdictOf(Verdict verdict, double speedup = 0) {
  Judgement j;
  j.verdict = verdict;
  j.speedup = j.gain = speedup;
  j.reward = VerdictRewards().of(verdict, speedup);
  return j;
}

const std::string kFast = "ijk 8x8x8 v8 r1x1 u1 pack none", kSlow = "ijk 8x8x8 v1 m1x1 u1 pack none";

std::vector<Judged> batch() {
  return {{"p", kFast, "", true},
          {"p", "no schedule", "", true},
          {"p", kSlow, "", true},
          {"p", kFast, "", true},
          {"p", kFast, "", false}};
}

/// Counts the programs that it is given; kernels with vectors are twice as fast as the reference, others half as fast.
struct StandIn {
  size_t calls = 0, programs = 0;
  std::vector<Judgement> operator()(const std::vector<std::string> &sources) {
    ++calls;
    programs += sources.size();
    std::vector<Judgement> out;
    for (const std::string &source : sources)
      out.push_back(verdictOf(Verdict::Ok, source.find("v8") != std::string::npos ? 2 : 0.5));
    return out;
  }
};

TEST(ProgramBatch, EachDistinctProgramIsJudgedOnce) {
  StandIn judge;
  auto results = judgePrograms(batch(), *findTask("matmul-schedule"), {}, std::ref(judge));
  EXPECT_EQ(judge.calls, 1u);
  EXPECT_EQ(judge.programs, 2u);
  ASSERT_EQ(results.size(), 5u);
  EXPECT_EQ(results[0].judgement.speedup, 2);
  EXPECT_EQ(results[2].judgement.speedup, 0.5);
  EXPECT_EQ(results[3].judgement.speedup, 2);
  for (size_t invalid : {1, 4}) {
    EXPECT_FALSE(results[invalid].hasProgram);
    EXPECT_EQ(results[invalid].judgement.verdict, Verdict::Invalid);
    EXPECT_EQ(results[invalid].judgement.reward, VerdictRewards().invalid);
  }
  EXPECT_EQ(results[1].judgement.evidence,
            "no valid schedule: expected one of ijk ikj jik jki kij kji at byte 0, got 'no schedule'");
  EXPECT_EQ(results[4].judgement.evidence, "the schedule does not end");
}

TEST(ProgramBatch, NothingToJudge) {
  StandIn judge;
  auto results = judgePrograms({{"p", "", "", true}}, *findTask("matmul-schedule"), {}, std::ref(judge));
  EXPECT_EQ(judge.calls, 0u);
  EXPECT_EQ(results[0].judgement.verdict, Verdict::Invalid);
}

TEST(ProgramBatch, AJudgeThatLosesProgramsIsAnError) {
  auto silent = [](const std::vector<std::string> &) { return std::vector<Judgement>(); };
  EXPECT_THROW(judgePrograms(batch(), *findTask("matmul-schedule"), {}, silent), std::runtime_error);
}

TEST(ProgramBatch, RewardsOfEachVerdict) {
  struct Row {
    Verdict verdict;
    double speedup;
    bool hasProgram;
    double format, runs, correct, speed, noCheat;
  };
  constexpr Row kTable[] = {
      {Verdict::Ok, 8, true, 1, 1, 1, 3, 0},      {Verdict::Ok, 0.5, true, 1, 1, 1, 0, 0},
      {Verdict::Wrong, 0, true, 1, 1, 0, 0, 0},   {Verdict::Invalid, 0, false, 0, 0, 0, 0, 0},
      {Verdict::Invalid, 0, true, 1, 0, 0, 0, 0}, {Verdict::Timeout, 0, true, 1, 0, 0, 0, 0},
      {Verdict::Error, 0, true, 1, 0, 0, 0, 0},   {Verdict::Cheat, 0, true, 1, 0, 0, 0, -1},
  };
  for (const Row &row : kTable) {
    Judgement judgement = verdictOf(row.verdict, row.speedup);
    Judged judged{"p", "text", "", true, &judgement, row.hasProgram};
    auto of = [&](const char *name) { return findReward(name).judge(judged); };
    EXPECT_EQ(of("format"), row.format) << nameOf(row.verdict);
    EXPECT_EQ(of("runs"), row.runs) << nameOf(row.verdict);
    EXPECT_EQ(of("correct"), row.correct) << nameOf(row.verdict);
    EXPECT_EQ(of("speed"), row.speed) << nameOf(row.verdict);
    EXPECT_EQ(of("no_cheat"), row.noCheat) << nameOf(row.verdict);
    EXPECT_EQ(of("verdict"), judgement.reward) << nameOf(row.verdict);
  }
}

TEST(ProgramBatch, RewardsOfProgramsDoNotJudgeTexts) {
  Judged text{"1+1=", "2", "2", true};
  for (const char *name : {"runs", "speed", "no_cheat", "verdict"})
    EXPECT_EQ(findReward(name).judge(text), std::nullopt) << name;
}

// A large spread counts as no speed at all: `gain` says what noise cannot explain.
TEST(ProgramBatch, SpeedIsPaidByGain) {
  Judgement judgement = verdictOf(Verdict::Ok, 8);
  judgement.gain = 1;
  EXPECT_EQ(rewardSpeed({"p", "text", "", true, &judgement, true}), 0.0);
}

TEST(ProgramRecord, TenthsRankingAndRestore) {
  auto task = findTask("matmul-schedule");
  ProgramRecord record;
  EXPECT_EQ(record.medianOfFirstTenth(), 0);
  for (int step = 0; step < 20; ++step) {
    auto timed = [&](const std::vector<std::string> &sources) {
      std::vector<Judgement> out;
      for (size_t i = 0; i < sources.size(); ++i)
        out.push_back(verdictOf(Verdict::Ok, step + 1 + double(i)));
      return out;
    };
    auto completions = batch();
    record.add(step, completions, judgePrograms(completions, *task, {}, timed));
  }
  // A batch of step s: s+1 twice, s+2 once, 0 twice. Two batches are a tenth.
  EXPECT_EQ(record.medianOfFirstTenth(), 1);
  EXPECT_EQ(record.medianOfLastTenth(), 19);
  EXPECT_EQ(record.lastMedian(), 20);
  EXPECT_EQ(record.fastest().back(), (std::pair<double, double>(19, 21)));
  EXPECT_EQ(record.share(Verdict::Invalid).front().second, 0.4);
  EXPECT_EQ(record.verdicts().ok, 60);
  EXPECT_EQ(record.verdicts().invalid, 40);
  ASSERT_EQ(record.best().size(), 2u); // two texts in all
  EXPECT_EQ(record.best()[0].completion, kSlow);
  EXPECT_EQ(record.best()[0].speedup, 21);

  ProgramRecord again;
  again.restore(record.json());
  EXPECT_EQ(again.json(), record.json());
  EXPECT_EQ(again.medians(), record.medians());
}

TEST(ProgramBatch, MetricsCountInvalidAsZero) {
  StandIn judge;
  Metrics metrics;
  recordVerdicts(judgePrograms(batch(), *findTask("matmul-schedule"), {}, std::ref(judge)), metrics);
  EXPECT_DOUBLE_EQ(metrics.last("verdicts/ok"), 0.6);
  EXPECT_DOUBLE_EQ(metrics.last("verdicts/invalid"), 0.4);
  EXPECT_DOUBLE_EQ(metrics.last("verdicts/cheat"), 0);
  EXPECT_DOUBLE_EQ(metrics.last("speedup/median"), 0.5);
  EXPECT_DOUBLE_EQ(metrics.last("speedup/mean"), 0.9);
  EXPECT_DOUBLE_EQ(metrics.last("speedup/max"), 2);
}

} // namespace
