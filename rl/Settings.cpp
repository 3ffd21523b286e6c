// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks of the settings, and the parts of them that other files take.
#include "rl/Settings.h"
#include "rl/rewards/Reward.h"
#include "rl/tasks/Task.h"
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace maskjit::rl {

LossOptions Settings::lossOptions() const {
  LossOptions o = loss;
  o.type = parseLossType(lossType);
  o.level = parseImportanceLevel(importanceSamplingLevel);
  o.maxCompletionLength = maxCompletionLength;
  o.gradientAccumulationSteps = gradientAccumulationSteps;
  o.stepsPerGeneration = stepsAGeneration();
  return o;
}

AdvantageOptions Settings::advantageOptions() const {
  return {numGenerations, parseScaleRewards(scaleRewards), parseAggregation(multiObjectiveAggregation)};
}

CorrectionOptions Settings::correctionOptions() const {
  return {parseCorrectionMode(rolloutCorrection), correctionMax, correctionMin};
}

Schedule Settings::schedule() const {
  int64_t warmup = warmupSteps > 0 ? warmupSteps : int64_t(std::ceil(warmupRatio * double(maxSteps)));
  return {parseScheduleType(lrSchedulerType), learningRate, warmup, maxSteps};
}

JudgeOptions Settings::judgeOptions() const {
  JudgeOptions o;
  o.language = findTask(task)->language().value();
  o.trials = int(judgeTrials);
  if (judgeSize > 0)
    o.shape = {int(judgeSize), int(judgeSize), int(judgeSize)};
  for (const std::string &name : withoutMeasures) {
    std::string known;
    bool found = false;
    for (const auto &[measure, member] : counterMeasureNames()) {
      if (measure == name) {
        o.counterMeasures.*member = false;
        found = true;
      }
      known += (known.empty() ? "" : ", ") + measure;
    }
    if (!found)
      throw std::runtime_error("without names the counter-measure '" + name + "'; there are: " + known);
  }
  o.allowWeakSandbox = allowWeakSandbox;
  o.auditFile = outputDir + "/audit.jsonl";
  return o;
}

static void require(bool holds, const std::string &setting, const std::string &value, const std::string &expected) {
  if (!holds)
    throw std::runtime_error(setting + " is " + value + "; " + expected);
}

void Settings::validate() const {
  auto atLeast = [](const char *name, int64_t value, int64_t least) {
    require(value >= least, name, std::to_string(value), "expected at least " + std::to_string(least));
  };
  auto inRange = [](const char *name, double value, double low, double high) {
    require(value >= low && value <= high, name, std::to_string(value),
            "expected " + std::to_string(low) + " to " + std::to_string(high));
  };
  atLeast("num_generations", numGenerations, 2); // one completion has no group to be compared with
  atLeast("max_completion_length", maxCompletionLength, 1);
  atLeast("max_prompt_length", maxPromptLength, 1);
  atLeast("per_device_train_batch_size", perDeviceTrainBatchSize, 1);
  atLeast("gradient_accumulation_steps", gradientAccumulationSteps, 1);
  atLeast("steps_per_generation", stepsAGeneration(), 1);
  atLeast("num_iterations", numIterations, 1);
  atLeast("max_steps", maxSteps, 1);
  atLeast("logging_steps", loggingSteps, 1);
  atLeast("save_steps", saveSteps, 0);
  atLeast("eval_steps", evalSteps, 0);
  atLeast("eval_samples", evalSamples, 1);
  atLeast("top_k", topK, 0);
  atLeast("lora_r", lora.rank, 1);
  require(temperature > 0, "temperature", std::to_string(temperature),
          "training samples, so it must be above 0 (eval takes 0: greedy)");
  inRange("top_p", topP, 1e-9, 1);
  inRange("min_p", minP, 0, 1);
  inRange("top_entropy_quantile", loss.topEntropyQuantile, 0, 1);
  inRange("warmup_ratio", warmupRatio, 0, 1);
  inRange("learning_rate", learningRate, 0, 1e3);
  inRange("beta", loss.beta, 0, 1e3);
  require(generationBatch() % numGenerations == 0, "per_device_train_batch_size * steps_per_generation",
          std::to_string(generationBatch()),
          "it must be a multiple of num_generations (" + std::to_string(numGenerations) + ")");
  require(rewardWeights.empty() || rewardWeights.size() == rewards.size(), "reward_weights",
          "of length " + std::to_string(rewardWeights.size()),
          "one for each of the " + std::to_string(rewards.size()) + " rewards is needed");
  require(!rewards.empty(), "rewards", "empty", "name at least one");
  bool programs = findTask(task)->language().has_value();
  for (const std::string &name : rewards)
    require(programs || !findReward(name).ofPrograms, "reward", "'" + name + "'",
            "it needs a task that asks for programs, '" + task + "' does not");
  atLeast("judge_trials", judgeTrials, 3); // a spread needs three
  atLeast("judge_size", judgeSize, 0);
  if (programs)
    judgeOptions();
  require(device == "cpu" || device == "cuda", "device", "'" + device + "'", "use cpu or cuda");
  require(dtype.empty() || dtype == "float32" || dtype == "bfloat16", "dtype", "'" + dtype + "'",
          "use float32 or bfloat16");
  require(device != "cpu" || dtype != "bfloat16", "dtype", "bfloat16 on the CPU",
          "attention computes in float32 there: use --dtype float32, or --device cuda");
  lossOptions();
  advantageOptions();
  schedule();
  if (rolloutCorrection != "none")
    correctionOptions();
}

nlohmann::json Settings::identity() const {
  auto optional = [](const auto &value) { return value ? nlohmann::json(*value) : nlohmann::json(); };
  nlohmann::json j{
      {"task", task},
      {"seed", seed},
      {"rewards", rewards},
      {"reward_weights", rewardWeights},
      {"shuffle_rewards", shuffleRewards},
      {"judge_trials", judgeTrials},
      {"judge_size", judgeSize},
      {"without", withoutMeasures},
      {"lora_r", lora.rank},
      {"lora_alpha", lora.alpha},
      {"lora_target_modules", lora.targetModules},
      {"lora_target_parameters", lora.targetParameters},
      {"num_generations", numGenerations},
      {"max_prompt_length", maxPromptLength},
      {"max_completion_length", maxCompletionLength},
      {"temperature", temperature},
      {"top_p", topP},
      {"top_k", topK},
      {"min_p", minP},
      {"repetition_penalty", repetitionPenalty},
      {"mask_truncated_completions", maskTruncatedCompletions},
      {"per_device_train_batch_size", perDeviceTrainBatchSize},
      {"gradient_accumulation_steps", gradientAccumulationSteps},
      {"steps_per_generation", stepsAGeneration()},
      {"num_iterations", numIterations},
      {"loss_type", lossType},
      {"importance_sampling_level", importanceSamplingLevel},
      {"scale_rewards", scaleRewards},
      {"multi_objective_aggregation", multiObjectiveAggregation},
      {"rollout_correction", rolloutCorrection},
      {"rollout_correction_max", correctionMax},
      {"rollout_correction_min", optional(correctionMin)},
      {"epsilon", loss.epsilon},
      {"epsilon_high", optional(loss.epsilonHigh)},
      {"delta", optional(loss.delta)},
      {"beta", loss.beta},
      {"use_bias_correction_kl", loss.useBiasCorrectionKl},
      {"top_entropy_quantile", loss.topEntropyQuantile},
      {"entropy_coef", loss.entropyCoef},
      {"off_policy_mask_threshold", optional(loss.offPolicyMaskThreshold)},
      {"router_aux_loss_coef", optional(routerAuxLossCoef)},
      {"learning_rate", learningRate},
      {"lr_scheduler_type", lrSchedulerType},
      {"warmup_steps", warmupSteps},
      {"warmup_ratio", warmupRatio},
      {"max_grad_norm", maxGradNorm},
      {"weight_decay", adam.weightDecay},
      {"adam_beta1", adam.beta1},
      {"adam_beta2", adam.beta2},
      {"adam_epsilon", adam.epsilon},
  };
  // A constant rate does not depend on the end of the run, so such a run may be prolonged.
  if (parseScheduleType(lrSchedulerType) == ScheduleType::Linear ||
      parseScheduleType(lrSchedulerType) == ScheduleType::Cosine || warmupRatio > 0)
    j["max_steps"] = maxSteps;
  return j;
}

} // namespace maskjit::rl
