// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Group-relative policy optimisation of an adapter: GRPO, GSPO and their relatives.
#pragma once
#include "model/GptOss.h"
#include "model/Tokenizer.h"
#include "rl/Checkpoint.h"
#include "rl/Evaluate.h"
#include "rl/Metrics.h"
#include "rl/ProgramRecord.h"
#include "rl/Rollout.h"
#include "rl/Sampler.h"
#include "rl/Settings.h"
#include "rl/optim/AdamW.h"
#include "rl/tasks/Task.h"
#include <atomic>
#include <functional>
#include <optional>

namespace maskjit::rl {

/// What is told after each optimizer step, for progress displays.
struct StepReport {
  int64_t step = 0, maxSteps = 0; // finished steps
  double seconds = 0;             // of this step, its share of generation included
  double reward = 0, loss = 0;
  double medianSpeedup = 0; // of the last generation batch, where programs are judged
};

/// The loss of one micro-batch, ready for backward(): forward pass, policy loss, router loss. A rollout without old
/// log-probabilities is taken to come from the current weights.
at::Tensor microBatchLoss(const GptOss &model, const Rollout &rollout, const LossOptions &loss, double temperature,
                          double routerCoefficient, Metrics &metrics);

class Trainer {
public:
  /// Starts a run, or goes on with the one in `checkpoint` (a folder that findCheckpoint returned). The model gets a
  /// fresh or the saved adapter. Where the task asks for programs, `judge` is needed. Throws std::runtime_error if
  /// settings do not fit each other or the checkpoint.
  Trainer(const Settings &settings, std::shared_ptr<GptOss> model, std::shared_ptr<const Tokenizer> tokenizer,
          const std::string &checkpoint = "", JudgeFunction judge = {});

  /// Trains to settings.maxSteps. Once `stop` is true it ends after the current step. Always leaves a checkpoint and
  /// the adapter in the output directory. Returns false if it was stopped.
  bool run(const std::atomic<bool> &stop, const std::function<void(const StepReport &)> &report = {});

  /// Is told of every generation batch whose programs were judged.
  using ProgramObserver = std::function<void(const std::vector<Judged> &, const std::vector<ProgramResult> &)>;
  void observePrograms(ProgramObserver told) { observer = std::move(told); }

  int64_t step() const { return finished; }
  /// One sentence on whether and with which coefficient the router's auxiliary loss is on.
  std::string routerLossNote() const;
  /// (step, mean reward) of each optimizer step and (step, accuracy) of each evaluation so far.
  const std::vector<std::pair<double, double>> &rewardCurve() const { return rewards; }
  const std::vector<std::pair<double, double>> &evaluationCurve() const { return evaluations; }
  /// Empty where no programs are judged.
  const ProgramRecord &programs() const { return record; }

private:
  Rollout generateRollout();
  at::Tensor rewardsOf(const std::vector<Completion> &completions, const std::vector<Problem> &problems);
  const Rollout &currentRollout();
  void optimizerStep();
  void evaluateNow(double step);
  void writeLine(double seconds);
  void save();
  void restore(const std::string &checkpoint);

  Settings settings;
  std::shared_ptr<GptOss> model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<Task> task;
  JudgeFunction judgeFunction;
  ProgramRecord record;
  ProgramObserver observer;
  LossOptions loss;
  Schedule schedule;
  double routerCoefficient = 0;
  bool needsOldLogps = false;
  std::optional<AdamW> optimizer;
  Metrics metrics;
  Rollout rollout;              // of the generation that is being learned from
  int64_t finished = 0;         // optimizer steps
  int64_t microSteps = 0;       // forward and backward passes
  int64_t generations = 0;      // generation batches drawn
  int64_t tokens = 0;           // prompts and completions so far
  int64_t tokensAtLastLine = 0; // for tokens per second
  double secondsSinceLine = 0, lastReward = 0, lastLoss = 0;
  std::vector<std::pair<double, double>> rewards, evaluations;
};

} // namespace maskjit::rl
