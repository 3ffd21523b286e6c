// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Each counter-measure holds something back: with it a cheat of the folder gains nothing, without it the same text
// does.
#include "rl/judge/CounterMeasures.h"
#include "tests/rl/judge/Fixture.h"

using namespace maskjit::rl;

namespace {

struct Hole {
  const char *measure, *program;
  bool faster; // it is called fast too, not just right
};

const Hole kHoles[] = {
    {"judges_clock", "11_judge_clock.c", true},        {"fresh_inputs", "19_by_pointer.c", true},
    {"every_trial_verified", "21_first_call.c", true}, {"tight_bound", "22_nothing.c", true},
    {"own_inputs", "23_zeroed_inputs.c", true},        {"clean_output", "24_buffer_as_it_is.c", true},
    {"exact_types", "14_lazy_list.py", false},
};

class CounterMeasure : public testing::TestWithParam<Hole> {};

Judgement judgeWith(const Hole &hole, bool without) {
  JudgeOptions options = smallOptions(languageOfFile(hole.program).value());
  options.counterMeasures.staticFilter = false;
  options.counterMeasures.speedLimit = false; // a second line of defence for most
  if (options.language == Language::C)
    options.shape = {128, 128, 128};
  for (const auto &[name, member] : counterMeasureNames())
    if (name == hole.measure)
      options.counterMeasures.*member = !without;
  std::unique_ptr<Judge> judge = makeJudge(options);
  return judge ? judge->judge(programText("cheats", hole.program)) : Judgement();
}

} // namespace

TEST_P(CounterMeasure, StopsWhatGainsWithoutIt) {
  const Hole &hole = GetParam();
  Judgement with = judgeWith(hole, false), without = judgeWith(hole, true);
  EXPECT_LE(with.reward, VerdictRewards{}.ok) << with.evidence;
  EXPECT_EQ(nameOf(without.verdict), std::string("ok")) << without.evidence;
  EXPECT_GT(without.reward, with.reward - 1e-9) << without.evidence;
  if (hole.faster)
    EXPECT_GT(without.gain, 2) << without.evidence;
}

INSTANTIATE_TEST_SUITE_P(Switches, CounterMeasure, testing::ValuesIn(kHoles),
                         [](const auto &info) { return std::string(info.param.measure); });

TEST(CounterMeasures, NamesCoverAllSwitches) {
  CounterMeasures all;
  for (const auto &[name, member] : counterMeasureNames()) {
    EXPECT_TRUE(all.*member) << name;
    all.*member = false;
  }
  EXPECT_EQ(counterMeasureNames().size(), sizeof(CounterMeasures));
}
