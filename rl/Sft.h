// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Supervised training of all parameters of a small gpt-oss from scratch: makes the warm start of a task.
#pragma once
#include "model/Config.h"
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

namespace maskjit::rl {

struct SftSettings {
  std::string task = "arithmetic", outputDir = "warmstart", device = "cpu", dtype = "bfloat16"; // dtype: as saved
  uint64_t seed = 42;
  double care = 1; // chance that the teacher carries where it must
  int64_t hiddenSize = 64, layers = 2, headsQ = 4, headsKv = 2, headDim = 32, experts = 4, expertsPerToken = 2,
          intermediateSize = 64, slidingWindow = 16;
  int64_t batchSize = 256, maxSteps = 2000, warmupSteps = 50, loggingSteps = 100, evalSamples = 500;
  double learningRate = 2e-3, maxGradNorm = 1, initializerRange = 0.05, targetAccuracy = 1, weightDecay = 0;
  std::string lrSchedulerType = "linear";

  void validate() const;
  /// The architecture, with sliding and full layers in turn.
  Config config() const;
};

struct SftReport {
  int64_t step = 0, maxSteps = 0;
  double loss = 0, accuracy = -1; // held-out, greedy; -1: not measured at this step
  double seconds = 0;
};

/// Trains on the task's sft split until maxSteps, targetAccuracy or `stop`, and writes config.json, model.safetensors,
/// generation_config.json and tokenizer.json to outputDir. Returns the held-out accuracy of what it wrote.
double runSft(const SftSettings &settings, const std::atomic<bool> &stop,
              const std::function<void(const SftReport &)> &report);

} // namespace maskjit::rl
