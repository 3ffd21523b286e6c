// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Report of a run on programs.
#include "rl/tools/ProgramReport.h"
#include "rl/Checkpoint.h"
#include "rl/tasks/Task.h"
#include "rl/tools/Svg.h"
#include "rl/tools/Terminal.h"
#include <fmt/format.h>
#include <stdexcept>

namespace maskjit::rl {

constexpr int kFinalTrials = 21; // of each of the few fastest programs

void reportPrograms(const ProgramRecord &record, const Settings &settings) {
  if (record.empty())
    return;
  fmt::print("{}", plot(record.medians(), "speedup over the reference, median of the completions of a step"));
  double first = record.medianOfFirstTenth(), last = record.medianOfLastTenth();
  fmt::print("median speedup of all completions: first tenth {:.2f}, last tenth {:.2f}{}\n", first, last,
             first > 0 ? fmt::format(", {:.2f} times as much", last / first) : "");
  VerdictCounts v = record.verdicts();
  fmt::print("verdicts: ok {}, wrong {}, invalid {}, timeout {}, error {}, cheat {}\n", v.ok, v.wrong, v.invalid,
             v.timeout, v.error, v.cheat);

  Chart speedup{"Speedup over the reference", "optimizer steps", "times as fast", {}};
  speedup.series = {{"median of a step", record.medians()}, {"fastest of a step", record.fastest()}};
  writeFileAtomically(settings.outputDir + "/speedup.svg", svg(speedup));
  Chart verdicts{"Verdicts", "optimizer steps", "share of completions", {}};
  for (Verdict verdict :
       {Verdict::Ok, Verdict::Wrong, Verdict::Invalid, Verdict::Timeout, Verdict::Error, Verdict::Cheat})
    verdicts.series.push_back({nameOf(verdict), record.share(verdict)});
  writeFileAtomically(settings.outputDir + "/verdicts.svg", svg(verdicts));
}

void reportBest(const ProgramRecord &record, const Settings &settings) {
  if (record.best().empty())
    return;
  JudgeOptions options = settings.judgeOptions();
  options.trials = kFinalTrials;
  Result<std::unique_ptr<Judge>> judge = Judge::create(options);
  if (!judge)
    throw std::runtime_error(judge.error().message);
  std::vector<std::string> sources;
  for (const RankedProgram &program : record.best())
    sources.push_back(program.source);
  std::vector<Judgement> judgements = (*judge)->judgeAll(sources);
  size_t best = 0;
  for (size_t i = 1; i < judgements.size(); ++i)
    if (judgements[i].speedup > judgements[best].speedup)
      best = i;
  if (judgements[best].verdict != Verdict::Ok) {
    fmt::print("none of the {} fastest programs was found right again: {}\n", sources.size(), judgements[0].evidence);
    return;
  }
  const RankedProgram &program = record.best()[best];
  std::string file = options.language == Language::Python ? "best.py" : "best.c";
  writeFileAtomically(settings.outputDir + "/best.txt", program.completion + "\n");
  writeFileAtomically(settings.outputDir + "/" + file, program.source);
  fmt::print("best program, of step {}: {:.1f} times as fast as the reference (median of {} trials, spread {:.1f}%)\n",
             program.step, judgements[best].speedup, kFinalTrials, 100 * judgements[best].spread);
  if (program.completion.find('\n') == std::string::npos)
    fmt::print("  {}\n", program.completion);
  fmt::print("{0}/{1}, {0}/speedup.svg and {0}/verdicts.svg show more; every judged program is in {0}/audit.jsonl\n",
             settings.outputDir, file);
}

} // namespace maskjit::rl
