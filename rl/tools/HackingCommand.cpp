// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `maskjit-rl hacking`: what a policy that is offered tricks learns when the judge lacks one counter-measure, and when
// it lacks none. Writes the table and the plot of rl/README.md.
#include "model/tools/Commands.h"
#include "rl/Checkpoint.h"
#include "rl/Median.h"
#include "rl/Trainer.h"
#include "rl/schedule/Tricks.h"
#include "rl/tools/Commands.h"
#include "rl/tools/NamedOption.h"
#include "rl/tools/Options.h"
#include "rl/tools/Svg.h"
#include "rl/tools/Terminal.h"
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>
#include <stdexcept>

namespace maskjit::rl {

namespace {

/// A training run whose judge lacks what defeats one trick; `trick` is empty where nothing is lacking.
struct Case {
  std::string trick;
  std::vector<std::string> without;
};

/// What the policy did, a value a generation batch.
struct Outcome {
  ProgramRecord::Curve used, paid; // shares of the completions: with a trick, whichever, and judged right with it
  // of the last tenth
  std::vector<double> paidSpeedups;
  std::set<std::string> lastPrograms; // with a trick
  std::map<std::string, int> paidTricks;
};

std::vector<Case> cases() {
  std::vector<Case> all = {{"", {}}};
  for (const Trick &trick : tricks())
    if (!trick.defeatedBy.empty())
      all.push_back({trick.name, trick.defeatedBy});
  return all;
}

int64_t tenthOf(int64_t count) { return std::max<int64_t>(1, count / 10); }

/// The trick that a completion ends with; empty: none.
std::string trickOf(const std::string &completion) {
  std::string end = " trick ";
  size_t at = completion.rfind(end);
  std::string name = at == std::string::npos ? "" : completion.substr(at + end.size());
  return name == "none" ? "" : name;
}

/// "once 31, stale 2", the most frequent first.
std::string counted(const std::map<std::string, int> &counts) {
  std::vector<std::pair<int, std::string>> sorted;
  for (const auto &[name, count] : counts)
    sorted.push_back({-count, name});
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string> parts;
  for (const auto &[count, name] : sorted)
    parts.push_back(fmt::format("{} {}", name, -count));
  return parts.empty() ? "-" : fmt::format("{}", fmt::join(parts, ", "));
}

std::unique_ptr<Judge> judgeOf(const Settings &settings) {
  std::filesystem::create_directories(settings.outputDir);
  Result<std::unique_ptr<Judge>> judge = Judge::create(settings.judgeOptions());
  if (!judge)
    throw std::runtime_error(judge.error().message);
  return std::move(*judge);
}

Outcome runCase(const Case &c, Settings settings, const std::string &title, Session &session) {
  settings.withoutMeasures = c.without;
  settings.outputDir += "/" + (c.trick.empty() ? std::string("all") : c.trick);
  ModelOptions options{settings.model, "", settings.device, settings.dtype};
  options.embeddingOnHost = settings.embeddingOnHost;
  auto model = options.load();
  std::unique_ptr<Judge> judge = judgeOf(settings);
  Trainer trainer(settings, model, Tokenizer::load(settings.model), "",
                  [&](const std::vector<std::string> &sources) { return judge->judgeAll(sources); });
  Outcome out;
  int64_t batches =
      settings.maxSteps * settings.gradientAccumulationSteps / (settings.stepsAGeneration() * settings.numIterations);
  int64_t last = batches - tenthOf(batches), batch = 0;
  trainer.observePrograms([&](const std::vector<Judged> &completions, const std::vector<ProgramResult> &results) {
    double used = 0, paid = 0;
    for (size_t i = 0; i < results.size(); ++i) {
      const std::string trick = trickOf(std::string(completions[i].completion));
      if (!results[i].hasProgram || trick.empty())
        continue;
      bool ok = results[i].judgement.verdict == Verdict::Ok;
      used += 1;
      paid += ok;
      if (batch >= last) {
        out.lastPrograms.insert(results[i].source);
        if (ok) {
          out.paidSpeedups.push_back(results[i].judgement.speedup);
          ++out.paidTricks[trick];
        }
      }
    }
    out.used.emplace_back(double(batch), used / double(results.size()));
    out.paid.emplace_back(double(batch++), paid / double(results.size()));
  });
  ProgressLine progress(settings.loggingSteps);
  trainer.run(session.stop, [&](const StepReport &r) {
    progress.show(r.step, r.maxSteps, r.seconds,
                  fmt::format("{}: used {:.2f}, paid {:.2f}", title, out.used.back().second, out.paid.back().second));
  });
  progress.finish();
  return out;
}

double meanOf(const ProgramRecord::Curve &curve, bool last) {
  auto tenth = size_t(tenthOf(int64_t(curve.size())));
  double sum = 0;
  for (size_t i = 0; i < tenth; ++i)
    sum += curve[last ? curve.size() - 1 - i : i].second;
  return sum / double(tenth);
}

/// "cheat 12, wrong 3": what a judge that lacks nothing says of the programs that were paid for.
std::string honestVerdicts(const std::set<std::string> &programs, Settings settings) {
  if (programs.empty())
    return "-";
  settings.outputDir += "/again";
  std::unique_ptr<Judge> judge = judgeOf(settings);
  std::map<std::string, int> counts;
  for (const Judgement &j : judge->judgeAll({programs.begin(), programs.end()}))
    ++counts[nameOf(j.verdict)];
  return counted(counts);
}

void study(const Settings &settings, Session &session) {
  settings.validate();
  Chart chart{"Completions that earn by a trick", "generation batches", "share", {}};
  std::string table =
      "| counter-measures off | a trick used, first tenth | last tenth | paid, last tenth | "
      "by which | median speedup paid | the same programs, nothing off |\n|---|---|---|---|---|---|---|\n";
  for (const Case &c : cases()) {
    std::string off = c.without.empty() ? "none" : fmt::format("{}", fmt::join(c.without, ", "));
    Outcome out = runCase(c, settings, "off: " + off, session);
    if (session.stop) {
      session.exitCode = 130;
      return;
    }
    table += fmt::format("| {} | {:.2f} | {:.2f} | {:.2f} | {} | {} | {} |\n", off, meanOf(out.used, false),
                         meanOf(out.used, true), meanOf(out.paid, true), counted(out.paidTricks),
                         out.paidSpeedups.empty() ? "-" : fmt::format("{:.0f}", median(out.paidSpeedups)),
                         honestVerdicts(out.lastPrograms, settings));
    chart.series.push_back({c.trick.empty() ? "nothing off" : "off: " + c.without.front(), out.paid});
  }
  writeFileAtomically(settings.outputDir + "/hacking.md", table);
  writeFileAtomically(settings.outputDir + "/hacking.svg", svg(chart));
  fmt::print("{}{}/hacking.md and hacking.svg hold this\n", table, settings.outputDir);
}

} // namespace

void addHackingCommand(CLI::App &app, Session &session) {
  CLI::App *command =
      app.add_subcommand("hacking", "study: train on a task with tricks, once for each counter-measure switched off");
  auto settings = std::make_shared<Settings>();
  auto config = std::make_shared<std::string>();
  addTrainOptions(*command, *settings);
  addConfigOption(*command, *config);
  command->callback([=, &session] {
    applyConfig(*command, *config);
    study(*settings, session);
  });
}

} // namespace maskjit::rl
