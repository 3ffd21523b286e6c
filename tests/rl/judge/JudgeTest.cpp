// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The judge as a whole: honest speed is seen, options are checked, worse failures earn less, the compiler is fenced in.
#include "rl/judge/Cheats.h"
#include "tests/rl/judge/Fixture.h"
#include <gmock/gmock.h>

using namespace maskjit::rl;
using testing::HasSubstr;

static Judgement judgeC(const std::string &source, JudgeOptions options = smallOptions(Language::C)) {
  std::unique_ptr<Judge> judge = makeJudge(options);
  return judge ? judge->judge(source) : Judgement();
}
static std::string kernel(const std::string &body) {
  return "void matmul(const float *a, const float *b, float *c, int m, int n, int k) {" + body + "}\n";
}

TEST(Judge, AFasterProgramEarnsMore) {
  JudgeOptions options = smallOptions(Language::C);
  options.shape = {192, 192, 192};
  std::unique_ptr<Judge> judge = makeJudge(options);
  ASSERT_TRUE(judge);
  std::vector<Judgement> j =
      judge->judgeAll({programText("honest", "naive.c"), programText("honest", "row_updates.c")});
  EXPECT_EQ(j[0].gain, 1) << j[0].evidence; // the same loops as the reference's
  EXPECT_GT(j[1].gain, 2) << j[1].evidence;
  EXPECT_GT(j[1].reward, j[0].reward + 1);
  EXPECT_EQ(j[1].trials.size(), size_t(options.trials));
  for (const Trial &t : j[1].trials) {
    EXPECT_LE(t.error, 1);
    EXPECT_GT(t.candidateSeconds, 0);
  }
}

TEST(Judge, FailuresAreTold) {
  std::unique_ptr<Judge> judge = makeJudge(smallOptions(Language::C));
  ASSERT_TRUE(judge);
  Judgement none = judge->judge("int f(void) { return 1; }\n");
  EXPECT_EQ(none.verdict, Verdict::Invalid);
  EXPECT_THAT(none.evidence, HasSubstr("no function `matmul`"));
  Judgement text = judge->judge("I cannot do that.\n");
  EXPECT_EQ(text.verdict, Verdict::Invalid);
  EXPECT_THAT(text.evidence, HasSubstr("error: "));
  Judgement endless = judge->judge(kernel("for (;;) c[0] += 1;"));
  EXPECT_EQ(endless.verdict, Verdict::Timeout) << endless.evidence;
  Judgement crash = judge->judge(kernel("*(volatile int *)8 = 1;"));
  EXPECT_EQ(crash.verdict, Verdict::Error) << crash.evidence;
  Judgement almost = judge->judge(kernel("for (int i = 0; i < m; i++) for (int j = 0; j < n; j++) { float s = 0;"
                                         "for (int p = 1; p < k; p++) s += a[i * k + p] * b[p * n + j];"
                                         "c[i * n + j] = s; }"));
  EXPECT_EQ(almost.verdict, Verdict::Wrong) << almost.evidence;
  EXPECT_LT(crash.reward, almost.reward);
  VerdictCounts counts = judge->counts();
  EXPECT_EQ(counts.invalid, 2);
  EXPECT_EQ(counts.timeout, 1);
  EXPECT_EQ(counts.error, 1);
  EXPECT_EQ(counts.wrong, 1);
}

TEST(Judge, TheCompilerReadsNoFilesAndEnds) {
  JudgeOptions options = smallOptions(Language::C);
  options.counterMeasures.staticFilter = false;
  std::unique_ptr<Judge> judge = makeJudge(options);
  ASSERT_TRUE(judge);
  EXPECT_EQ(judge->judge("#include \"/etc/passwd\"\n").verdict, Verdict::Invalid);
  EXPECT_EQ(judge->judge("#include </proc/self/environ>\n").verdict, Verdict::Invalid);
  std::string bomb = "#define A(x) x x x x x x x x\n#define B(x) A(A(A(A(x))))\n#define C(x) B(B(x))\n"
                     "void matmul(void) { C(__builtin_trap();) }\n";
  Judgement exploded = judge->judge(bomb);
  EXPECT_TRUE(exploded.verdict == Verdict::Timeout || exploded.verdict == Verdict::Invalid) << exploded.evidence;
  Judgement large = judge->judge("static char x[1ul << 40] = {1};" + kernel("c[0] = x[m];"));
  EXPECT_TRUE(large.verdict == Verdict::Timeout || large.verdict == Verdict::Invalid) << large.evidence;
  EXPECT_EQ(judge->judge(programText("honest", "tiled.c")).verdict, Verdict::Ok);
}

TEST(Judge, EqualSeedsGiveEqualInputs) {
  JudgeOptions options = smallOptions(Language::C);
  options.seed = 7;
  std::string program = programText("honest", "naive.c");
  Judgement first = judgeC(program, options), second = judgeC(program, options);
  ASSERT_EQ(first.trials.size(), second.trials.size());
  for (size_t i = 0; i < first.trials.size(); ++i)
    EXPECT_EQ(first.trials[i].error, second.trials[i].error);
}

TEST(Judge, AnotherReferenceIsAnotherMeasure) {
  JudgeOptions options = smallOptions(Language::C);
  options.shape = {128, 128, 128};
  options.reference = programText("honest", "row_updates.c");
  Judgement j = judgeC(programText("honest", "naive.c"), options);
  EXPECT_EQ(j.verdict, Verdict::Ok) << j.evidence;
  EXPECT_LT(j.speedup, 0.8);
}

TEST(Judge, RefusesOptionsThatMakeNoSense) {
  auto messageOf = [](const JudgeOptions &options) {
    maskjit::Result<std::unique_ptr<Judge>> judge = Judge::create(options);
    return judge ? std::string("created") : judge.error().message;
  };
  JudgeOptions options = smallOptions(Language::C);
  options.rewards.cheat = 1;
  EXPECT_THAT(messageOf(options), HasSubstr("expected cheat < error"));
  options = smallOptions(Language::C);
  options.shape = {0, 4, 4};
  EXPECT_THAT(messageOf(options), HasSubstr("got 0"));
  options = smallOptions(Language::C);
  options.trials = 0;
  EXPECT_THAT(messageOf(options), HasSubstr("at least 1 trial"));
  options = smallOptions(Language::C);
  options.reference = "void matmul(const float *a, const float *b, float *c, int m, int n, int k) {}\n";
  EXPECT_THAT(messageOf(options), HasSubstr("the reference kernel"));
}
