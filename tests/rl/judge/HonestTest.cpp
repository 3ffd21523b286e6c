// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs of many styles that do nothing but multiply: all right, none a cheat. Once here;
// MASKJIT_HONEST_REPETITIONS=20 judges each so often.
#include "tests/rl/judge/Fixture.h"
#include <cstdlib>

using namespace maskjit::rl;

namespace {

int repetitions() {
  const char *text = std::getenv("MASKJIT_HONEST_REPETITIONS");
  return text ? std::max(1, std::atoi(text)) : 1;
}

void expectAllRight(Language language, const MatmulShape &shape) {
  JudgeOptions options = smallOptions(language);
  options.shape = shape;
  options.timeoutSeconds = 10; // for Strassen's algorithm on a busy machine
  std::unique_ptr<Judge> judge = makeJudge(options);
  ASSERT_TRUE(judge);
  std::vector<std::string> names = programsIn("honest", language), sources, of;
  for (const std::string &name : names)
    for (int i = 0; i < repetitions(); ++i) {
      sources.push_back(programText("honest", name));
      of.push_back(name);
    }
  std::vector<Judgement> judgements = judge->judgeAll(sources);
  for (size_t i = 0; i < judgements.size(); ++i)
    EXPECT_EQ(nameOf(judgements[i].verdict), std::string("ok")) << of[i] << ": " << judgements[i].evidence;
  EXPECT_EQ(judge->counts().ok, int64_t(sources.size()));
}

} // namespace

TEST(Honest, ThereAreThirty) {
  EXPECT_GE(programsIn("honest", Language::Python).size() + programsIn("honest", Language::C).size(), 30u);
}
TEST(Honest, PythonIsRight) { expectAllRight(Language::Python, {20, 17, 23}); }
TEST(Honest, CIsRight) { expectAllRight(Language::C, {72, 51, 90}); }
