// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `maskjit-rl train`: GRPO on a task with verifiable answers.
#include "model/tools/Commands.h"
#include "rl/Trainer.h"
#include "rl/tools/Commands.h"
#include "rl/tools/NamedOption.h"
#include "rl/tools/Options.h"
#include "rl/tools/ProgramReport.h"
#include "rl/tools/Terminal.h"
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <stdexcept>

namespace maskjit::rl {

constexpr int kInterrupted = 130; // what shells report for a program that Ctrl-C ended

static void printCurves(const Trainer &trainer) {
  fmt::print("{}", plot(trainer.rewardCurve(), "reward over optimizer steps"));
  if (trainer.evaluationCurve().empty())
    return;
  fmt::print("held-out accuracy (greedy)\n{:>8}  {:>8}\n", "step", "accuracy");
  for (auto [step, accuracy] : trainer.evaluationCurve())
    fmt::print("{:>8}  {:>8.3f}  {}\n", int64_t(step), accuracy, std::string(size_t(accuracy * 50), '#'));
}

/// The judge of the task's programs; null where the task asks for none.
static std::unique_ptr<Judge> startJudge(const Settings &settings) {
  if (!findTask(settings.task)->language())
    return nullptr;
  std::filesystem::create_directories(settings.outputDir); // of the audit log
  Result<std::unique_ptr<Judge>> judge = Judge::create(settings.judgeOptions());
  if (!judge)
    throw std::runtime_error(judge.error().message);
  return std::move(*judge);
}

static void train(const Settings &settings, const std::string &resume, Session &session) {
  settings.validate();
  std::string checkpoint = resume.empty() ? "" : findCheckpoint(resume);
  ModelOptions options{settings.model, "", settings.device, settings.dtype};
  options.embeddingOnHost = settings.embeddingOnHost;
  auto model = options.load();
  auto tokenizer = Tokenizer::load(settings.model);
  std::unique_ptr<Judge> judge = startJudge(settings);
  JudgeFunction judgeFunction;
  if (judge)
    judgeFunction = [&](const std::vector<std::string> &sources) { return judge->judgeAll(sources); };
  Trainer trainer(settings, model, tokenizer, checkpoint, judgeFunction);
  fmt::print(stderr, "{} in {} on {}; {} with seed {}\n", settings.model,
             model->dtype() == at::kFloat ? "float32" : "bfloat16", settings.device, settings.lossType, settings.seed);
  fmt::print(stderr, "{}\n", trainer.routerLossNote());
  if (!checkpoint.empty())
    fmt::print(stderr, "resumed from {} at step {}\n", checkpoint, trainer.step());

  ProgressLine progress(settings.loggingSteps);
  bool complete = trainer.run(session.stop, [&](const StepReport &r) {
    progress.show(r.step, r.maxSteps, r.seconds,
                  fmt::format("reward {:.3f}  loss {:+.4f}{}", r.reward, r.loss,
                              judge ? fmt::format("  median speedup {:.1f}", r.medianSpeedup) : ""));
  });
  progress.finish();
  printCurves(trainer);
  reportPrograms(trainer.programs(), settings);
  judge.reset(); // its workers would share the cores with those that time the best programs
  if (complete)
    reportBest(trainer.programs(), settings);
  if (complete) {
    fmt::print("adapter, checkpoints and metrics.jsonl are in {}\n", settings.outputDir);
  } else {
    fmt::print("stopped after step {}; go on with --resume {}\n", trainer.step(), settings.outputDir);
    session.exitCode = kInterrupted;
  }
}

void addTrainCommand(CLI::App &app, Session &session) {
  CLI::App *command = app.add_subcommand("train", "teach an adapter by GRPO (or GSPO and relatives)");
  auto settings = std::make_shared<Settings>();
  auto resume = std::make_shared<std::string>(), config = std::make_shared<std::string>();
  addTrainOptions(*command, *settings);
  option(*command, "resume", *resume, "go on from this checkpoint, or from the latest one in this directory");
  addConfigOption(*command, *config);
  command->callback([=, &session] {
    applyConfig(*command, *config);
    train(*settings, *resume, session);
  });
}

} // namespace maskjit::rl
