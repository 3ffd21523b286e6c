// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is judged is on record, can be filtered, and adds up over time.
#include "rl/judge/Audit.h"
#include "tests/rl/judge/Fixture.h"
#include <cstdio>
#include <fstream>
#include <gmock/gmock.h>
#include <unistd.h>

using namespace maskjit::rl;

namespace {

class AuditFile : public testing::Test {
protected:
  void SetUp() override { path = testing::TempDir() + "audit" + std::to_string(getpid()) + ".jsonl"; }
  void TearDown() override { std::remove(path.c_str()); }
  std::string path;
};

} // namespace

TEST_F(AuditFile, HoldsWhatTheJudgeSaid) {
  JudgeOptions options = smallOptions(Language::C);
  options.auditFile = path;
  options.seed = 3;
  std::string right = programText("honest", "tiled.c"), cheat = programText("cheats", "22_zeros.c");
  {
    std::unique_ptr<Judge> judge = makeJudge(options);
    ASSERT_TRUE(judge);
    judge->judgeAll({right, cheat});
  }
  maskjit::Result<std::vector<AuditEntry>> cheats = readAudit(path, {Verdict::Cheat, 0, 0, 0});
  ASSERT_TRUE(cheats) << cheats.error().message;
  ASSERT_EQ(cheats->size(), 1u);
  EXPECT_EQ(cheats->front().source, cheat);
  EXPECT_EQ(cheats->front().judgement.cheat, 22);
  maskjit::Result<std::vector<AuditEntry>> rights = readAudit(path, {Verdict::Ok, 0, 0, 0});
  ASSERT_TRUE(rights);
  ASSERT_EQ(rights->size(), 1u);
  EXPECT_EQ(rights->front().judgement.trials.size(), size_t(options.trials));
  EXPECT_EQ(rights->front().shape.m, 64);
  EXPECT_GT(rights->front().time, 1.6e9);
}

TEST_F(AuditFile, IsFilteredByAllThatWasAsked) {
  maskjit::Result<std::unique_ptr<AuditLog>> log = AuditLog::open(path);
  ASSERT_TRUE(log);
  for (int i = 0; i < 10; ++i) {
    AuditEntry entry;
    entry.seed = uint64_t(i);
    entry.judgement.verdict = i < 6 ? Verdict::Ok : Verdict::Cheat;
    entry.judgement.cheat = i < 6 ? 0 : 19 + i % 2;
    entry.judgement.speedup = i < 6 ? i : 0;
    entry.source = "\xff\n\"";
    (*log)->write(entry);
  }
  auto seeds = [&](const AuditFilter &filter) {
    std::vector<uint64_t> found;
    maskjit::Result<std::vector<AuditEntry>> entries = readAudit(path, filter);
    EXPECT_TRUE(entries);
    for (const AuditEntry &e : *entries)
      found.push_back(e.seed);
    return found;
  };
  EXPECT_THAT(seeds({Verdict::Ok, 0, 4, 0}), testing::ElementsAre(4, 5));
  EXPECT_THAT(seeds({std::nullopt, 20, 0, 0}), testing::ElementsAre(7, 9));
  EXPECT_THAT(seeds({std::nullopt, 0, 0, 3}), testing::ElementsAre(7, 8, 9));
  std::vector<VerdictCounts> parts = countOverTime(*readAudit(path, {}), 5);
  ASSERT_EQ(parts.size(), 5u);
  EXPECT_EQ(parts[0].ok, 2);
  EXPECT_EQ(parts[4].cheat, 2);
}

TEST_F(AuditFile, ABrokenLineIsNamed) {
  std::ofstream(path) << "{\"time\": 1}\n";
  maskjit::Result<std::vector<AuditEntry>> entries = readAudit(path, {});
  ASSERT_FALSE(entries);
  EXPECT_THAT(entries.error().message, testing::HasSubstr(":1: expected an audit entry"));
  EXPECT_FALSE(readAudit(path + ".none", {}));
}
