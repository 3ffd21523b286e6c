// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Everything a training run can be told, by TRL's names and with its defaults.
#pragma once
#include "model/Lora.h"
#include "rl/Advantages.h"
#include "rl/judge/Judge.h"
#include "rl/losses/LossOptions.h"
#include "rl/losses/RolloutCorrection.h"
#include "rl/optim/AdamW.h"
#include "rl/optim/Schedule.h"
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace maskjit::rl {

struct Settings {
  // What is trained, on what, where.
  std::string model = "rl/warmstart", task = "arithmetic", outputDir = "output", device = "cpu",
              dtype;            // empty: float32 on the CPU, bfloat16 on CUDA
  bool embeddingOnHost = false; // of a model on a GPU
  uint64_t seed = 42;
  std::vector<std::string> rewards = {"correct"};
  std::vector<double> rewardWeights; // empty: all 1
  bool shuffleRewards = false;       // a control: rewards are dealt to the completions of a batch at random
  LoraConfig lora;

  // Programs, where the task asks for them.
  int64_t judgeTrials = 5, judgeSize = 0;   // timed trials of a program; rows = columns = depth, 0: the language's
  std::vector<std::string> withoutMeasures; // counter-measures that are switched off, for research
  bool allowWeakSandbox = false;

  // Generation.
  int64_t numGenerations = 8, maxPromptLength = 512, maxCompletionLength = 256;
  double temperature = 1, topP = 1, minP = 0, repetitionPenalty = 1;
  int64_t topK = 0;
  bool maskTruncatedCompletions = false;

  // Batches: a generation batch is perDeviceTrainBatchSize * stepsPerGeneration completions.
  int64_t perDeviceTrainBatchSize = 8, gradientAccumulationSteps = 1, numIterations = 1;
  std::optional<int64_t> stepsPerGeneration; // defaults to gradientAccumulationSteps

  // Loss.
  std::string lossType = "dapo", importanceSamplingLevel = "token", scaleRewards = "group",
              multiObjectiveAggregation = "sum_then_normalize", rolloutCorrection = "none";
  LossOptions loss; // its type, level, lengths and counts are filled in by lossOptions()
  double correctionMax = 3.0;
  std::optional<double> correctionMin;
  std::optional<double> routerAuxLossCoef; // defaults to the model's

  // Optimizer.
  double learningRate = 1e-6, maxGradNorm = 1, warmupRatio = 0;
  int64_t maxSteps = 100, warmupSteps = 0;
  std::string lrSchedulerType = "linear";
  AdamWOptions adam;

  // Log.
  int64_t loggingSteps = 1, saveSteps = 100, evalSteps = 0, evalSamples = 500;

  int64_t stepsAGeneration() const { return stepsPerGeneration.value_or(gradientAccumulationSteps); }
  int64_t generationBatch() const { return perDeviceTrainBatchSize * stepsAGeneration(); }
  LossOptions lossOptions() const;
  AdvantageOptions advantageOptions() const;
  CorrectionOptions correctionOptions() const;
  Schedule schedule() const;
  /// For the programs of the task, which must ask for some; the audit log goes to the output directory.
  JudgeOptions judgeOptions() const;

  /// Throws std::runtime_error naming the setting, its value and what would do.
  void validate() const;
  /// What shapes the curve of a run: a resumed run must have the same.
  nlohmann::json identity() const;
};

} // namespace maskjit::rl
