// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CUDA programs: they compile without a GPU; where there is one, honest ones are right and cheats gain nothing.
#include "rl/judge/CompileCuda.h"
#include "tests/rl/judge/Fixture.h"
#include <cstdlib>
#include <gmock/gmock.h>
#include <unistd.h>

using namespace maskjit::rl;
using testing::HasSubstr;

static bool gpuIsHere() { return access("/dev/nvidiactl", F_OK) == 0; }

static std::optional<CudaCompiler> compilerFor(const std::string &arch) {
  maskjit::Result<SandboxReport> report = probeSandbox();
  if (!report)
    return std::nullopt;
  maskjit::Result<CudaCompiler> compiler = CudaCompiler::createFor(arch, report->active(), 30);
  if (!compiler) {
    ADD_FAILURE() << compiler.error().message;
    return std::nullopt;
  }
  return std::move(*compiler);
}

TEST(CudaPrograms, HonestOnesCompileInTheSandbox) {
  std::optional<CudaCompiler> compiler = compilerFor("sm_90");
  ASSERT_TRUE(compiler);
  for (const std::string &name : programsIn("honest", Language::Cuda)) {
    CudaCompiler::Outcome outcome = compiler->compile(programText("honest", name));
    EXPECT_GT(outcome.program.size(), 1000u) << name << ": " << outcome.fault;
  }
}

TEST(CudaPrograms, TheCompilerReadsNoFiles) {
  std::optional<CudaCompiler> compiler = compilerFor("sm_90");
  ASSERT_TRUE(compiler);
  CudaCompiler::Outcome outcome = compiler->compile("#include \"/etc/passwd\"\n");
  EXPECT_TRUE(outcome.program.empty());
  EXPECT_THAT(outcome.fault, testing::Not(HasSubstr("root:")));
}

TEST(LaunchLine, IsReadAndChecked) {
  std::optional<protocol::LaunchShape> plain = launchShapeOf("int x;");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->blockX, 16);
  EXPECT_EQ(plain->tileRows, 16);
  std::optional<protocol::LaunchShape> s = launchShapeOf("// launch: block 32 8, tile 64 128, shared 65536\n");
  ASSERT_TRUE(s);
  EXPECT_EQ(s->blockX, 32);
  EXPECT_EQ(s->blockY, 8);
  EXPECT_EQ(s->tileRows, 64);
  EXPECT_EQ(s->tileColumns, 128);
  EXPECT_EQ(s->sharedBytes, 65536);
  EXPECT_FALSE(launchShapeOf("// launch: block 64 64\n"));
  EXPECT_FALSE(launchShapeOf("// launch: block 16 16, tile 0 16\n"));
  EXPECT_FALSE(launchShapeOf("// launch: block 16 16, shared 1000000\n"));
}

static std::vector<std::pair<std::string, Judgement>> judgeAllOf(const std::string &folder, bool filter) {
  JudgeOptions options = smallOptions(Language::Cuda);
  options.timeoutSeconds = 20;
  options.counterMeasures.staticFilter = filter;
  std::vector<std::pair<std::string, Judgement>> judged;
  std::unique_ptr<Judge> judge = makeJudge(options);
  if (judge)
    for (const std::string &name : programsIn(folder, Language::Cuda))
      judged.emplace_back(name, judge->judge(programText(folder, name)));
  return judged;
}

TEST(CudaPrograms, HonestOnesAreRight) {
  if (!gpuIsHere())
    GTEST_SKIP() << "no gpu";
  for (const auto &[name, j] : judgeAllOf("honest", true))
    EXPECT_EQ(j.verdict, Verdict::Ok) << name << ": " << j.evidence;
}

TEST(CudaPrograms, CheatsGainNothing) {
  if (!gpuIsHere())
    GTEST_SKIP() << "no gpu";
  for (bool filter : {true, false})
    for (const auto &[name, j] : judgeAllOf("cheats", filter))
      EXPECT_LE(j.reward, VerdictRewards{}.ok) << name << ", filter " << filter << ": " << j.evidence;
}
