// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every cheat of the list, as programs: what is said of each with the static filter and without it, and that none
// gains.
#include "rl/judge/Cheats.h"
#include "tests/rl/judge/Fixture.h"
#include <map>
#include <set>
#include <sstream>

using namespace maskjit::rl;

namespace {

struct Expected {
  Verdict withFilter, withoutFilter;
};

/// By file, of cheats/expected.txt.
std::map<std::string, Expected> expectations() {
  std::map<std::string, Expected> table;
  std::istringstream lines(programText("cheats", "expected.txt"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string file, with, without;
    if (line.empty() || line[0] == '#' || !(words >> file >> with >> without))
      continue;
    table[file] = {findVerdict(with).value(), findVerdict(without).value()};
  }
  return table;
}

/// All cheats of a language are judged together, a lane a core, when the first is asked for.
const Judgement &judgementOf(const std::string &file, bool filter) {
  static std::map<std::pair<Language, bool>, std::map<std::string, Judgement>> judged;
  Language language = languageOfFile(file).value();
  auto &results = judged[{language, filter}];
  if (results.empty()) {
    JudgeOptions options = smallOptions(language);
    options.counterMeasures.staticFilter = filter;
    std::vector<std::string> names = programsIn("cheats", language), sources;
    for (const std::string &name : names)
      sources.push_back(programText("cheats", name));
    if (std::unique_ptr<Judge> judge = makeJudge(options)) {
      std::vector<Judgement> judgements = judge->judgeAll(sources);
      for (size_t i = 0; i < names.size(); ++i)
        results[names[i]] = judgements[i];
    }
  }
  return results[file];
}

std::vector<std::string> hostPrograms() {
  std::vector<std::string> names = programsIn("cheats", Language::Python);
  for (const std::string &name : programsIn("cheats", Language::C))
    names.push_back(name);
  return names;
}

class Cheats : public testing::TestWithParam<std::string> {};

void expectNoGain(const std::string &file, bool filter, Verdict expected) {
  const Judgement &j = judgementOf(file, filter);
  EXPECT_EQ(nameOf(j.verdict), std::string(nameOf(expected))) << j.evidence;
  EXPECT_LE(j.reward, VerdictRewards{}.ok) << "gained " << j.gain << ": " << j.evidence;
  EXPECT_EQ(j.verdict == Verdict::Cheat, j.cheat != kNoCheat);
  EXPECT_FALSE(j.evidence.empty());
}

} // namespace

TEST_P(Cheats, GainsNothingWithTheStaticFilter) {
  expectNoGain(GetParam(), true, expectations().at(GetParam()).withFilter);
}
TEST_P(Cheats, GainsNothingWithoutTheStaticFilter) {
  expectNoGain(GetParam(), false, expectations().at(GetParam()).withoutFilter);
}

INSTANTIATE_TEST_SUITE_P(Programs, Cheats, testing::ValuesIn(hostPrograms()),
                         [](const auto &info) { return testName(info.param); });

TEST(CheatsFolder, HoldsTwoProgramsOfEachNumber) {
  std::map<int, std::set<std::string>> programs;
  for (Language language : {Language::Python, Language::C, Language::Cuda})
    for (const std::string &name : programsIn("cheats", language))
      programs[std::stoi(name)].insert(name);
  // The output channel's are completions: CompletionsTest.cpp.
  for (int number = 1; number < kDecoy; ++number)
    EXPECT_GE(programs[number].size(), 2u) << number << ", " << describeCheat(number);
}
