// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Options of `maskjit-rl train`, by TRL's names.
#include "rl/tools/Options.h"
#include "rl/tools/NamedOption.h"

namespace maskjit::rl {

static void addGeneration(CLI::App &app, Settings &s) {
  option(app, "num_generations", s.numGenerations, "completions a prompt, the group that rewards are compared in");
  option(app, "max_prompt_length", s.maxPromptLength, "tokens of a prompt; a longer one is an error");
  option(app, "max_completion_length", s.maxCompletionLength, "tokens of a completion");
  option(app, "temperature", s.temperature, "of sampling, and of the log-probabilities that are trained");
  option(app, "top_p", s.topP, "sample from the fewest tokens with this much probability");
  option(app, "top_k", s.topK, "sample from so many tokens; 0: all");
  option(app, "min_p", s.minP, "drop tokens less likely than this share of the likeliest");
  option(app, "repetition_penalty", s.repetitionPenalty, "1: none");
  flag(app, "mask_truncated_completions", s.maskTruncatedCompletions,
       "do not learn from completions that did not stop by themselves");
}

static void addBatches(CLI::App &app, Settings &s) {
  option(app, "per_device_train_batch_size", s.perDeviceTrainBatchSize, "completions a forward and backward pass");
  option(app, "gradient_accumulation_steps", s.gradientAccumulationSteps, "passes an optimizer step");
  option(app, "steps_per_generation", s.stepsPerGeneration, "passes a generation batch [gradient_accumulation_steps]");
  option(app, "num_iterations", s.numIterations, "times that each generation batch is learned from");
}

static void addLoss(CLI::App &app, Settings &s) {
  option(app, "loss_type", s.lossType, "grpo, bnpo, dr_grpo, dapo, cispo, sapo, luspo or vespo");
  option(app, "importance_sampling_level", s.importanceSamplingLevel, "token, or sequence (GSPO)");
  option(app, "scale_rewards", s.scaleRewards, "divide advantages by the std of: group, batch, none");
  option(app, "multi_objective_aggregation", s.multiObjectiveAggregation, "sum_then_normalize or normalize_then_sum");
  option(app, "epsilon", s.loss.epsilon, "lower clip range of the ratio");
  option(app, "epsilon_high", s.loss.epsilonHigh, "upper clip range [epsilon]");
  option(app, "delta", s.loss.delta, "upper bound of the unclipped ratio [none]");
  option(app, "beta", s.loss.beta, "weight of the KL term against the model without its adapter");
  option(app, "use_bias_correction_kl", s.loss.useBiasCorrectionKl, "multiply the KL term by the ratio");
  option(app, "top_entropy_quantile", s.loss.topEntropyQuantile, "learn from this share of the most uncertain tokens");
  option(app, "entropy_coef", s.loss.entropyCoef, "weight of an entropy bonus");
  option(app, "off_policy_mask_threshold", s.loss.offPolicyMaskThreshold,
         "drop sequences with a negative advantage that drifted further than this [none]");
  option(app, "sapo_temperature_pos", s.loss.sapoTemperaturePos, "sapo: temperature where the advantage is positive");
  option(app, "sapo_temperature_neg", s.loss.sapoTemperatureNeg, "sapo: where it is negative");
  option(app, "vespo_k_pos", s.loss.vespoKPos, "vespo: k where the advantage is not negative");
  option(app, "vespo_lambda_pos", s.loss.vespoLambdaPos, "vespo: lambda where the advantage is not negative");
  option(app, "vespo_k_neg", s.loss.vespoKNeg, "vespo: k where it is negative");
  option(app, "vespo_lambda_neg", s.loss.vespoLambdaNeg, "vespo: lambda where it is negative");
  option(app, "rollout_correction", s.rolloutCorrection,
         "none, token_truncate, token_mask, sequence_truncate or sequence_mask");
  option(app, "rollout_correction_max", s.correctionMax, "upper bound of the correction");
  option(app, "rollout_correction_min", s.correctionMin, "lower bound of the correction [none]");
  option(app, "router_aux_loss_coef", s.routerAuxLossCoef, "weight of the router's load-balancing loss [the model's]");
}

static void addOptimizer(CLI::App &app, Settings &s) {
  option(app, "learning_rate", s.learningRate, "peak of the schedule");
  option(app, "lr_scheduler_type", s.lrSchedulerType, "linear, constant, constant_with_warmup or cosine");
  option(app, "warmup_steps", s.warmupSteps, "optimizer steps of linear warm-up");
  option(app, "warmup_ratio", s.warmupRatio, "the same as a share of max_steps");
  option(app, "max_grad_norm", s.maxGradNorm, "clip the gradient's norm; 0: never");
  option(app, "weight_decay", s.adam.weightDecay, "of AdamW");
  option(app, "adam_beta1", s.adam.beta1, "of AdamW");
  option(app, "adam_beta2", s.adam.beta2, "of AdamW");
  option(app, "adam_epsilon", s.adam.epsilon, "of AdamW");
  option(app, "max_steps", s.maxSteps, "optimizer steps of the run");
}

static void addPrograms(CLI::App &app, Settings &s) {
  option(app, "judge_trials", s.judgeTrials, "timed trials of a program, each beside one of the reference");
  option(app, "judge_size", s.judgeSize, "rows, columns and depth of the matrices; 0: 256 for C, 64 for Python");
  option(app, "without", s.withoutMeasures,
         "research: judge without these counter-measures (static_filter, fresh_inputs, ...; rl/README.md)");
  flag(app, "allow_weak_sandbox", s.allowWeakSandbox,
       "run programs although this machine offers less than the minimum");
}

void addTrainOptions(CLI::App &app, Settings &s) {
  option(app, "model", s.model, "directory of the checkpoint, as Hugging Face writes it");
  option(app, "task", s.task, "arithmetic, matmul or matmul-schedule");
  option(app, "output_dir", s.outputDir,
         "adapter, checkpoints, metrics.jsonl; for programs also audit.jsonl and plots");
  option(app, "device", s.device, "cpu or cuda");
  option(app, "dtype", s.dtype, "float32 or bfloat16 [float32 on the CPU, bfloat16 on CUDA]");
  flag(app, "embedding_on_host", s.embeddingOnHost,
       "with device cuda the embedding stays in host memory, where the GPU reads a row for each token");
  option(app, "seed", s.seed, "of adapters, problems and sampling");
  option(app, "rewards", s.rewards, "reward functions by name");
  option(app, "reward_weights", s.rewardWeights, "one for each reward [1]");
  flag(app, "shuffle_rewards", s.shuffleRewards,
       "deal the rewards of a batch at random: a control that must not learn");
  option(app, "lora_r", s.lora.rank, "rank of the adapter");
  option(app, "lora_alpha", s.lora.alpha, "scaling of the adapter times its rank");
  option(app, "lora_target_modules", s.lora.targetModules, "attention projections with an adapter");
  option(app, "lora_target_parameters", s.lora.targetParameters, "expert parameters with an adapter");
  addPrograms(app, s);
  addGeneration(app, s);
  addBatches(app, s);
  addLoss(app, s);
  addOptimizer(app, s);
  option(app, "logging_steps", s.loggingSteps, "optimizer steps a line of metrics.jsonl");
  option(app, "save_steps", s.saveSteps, "optimizer steps a checkpoint; 0: only the end");
  option(app, "eval_steps", s.evalSteps, "optimizer steps an evaluation on held-out problems; 0: never");
  option(app, "eval_samples", s.evalSamples, "held-out problems of an evaluation");
}

} // namespace maskjit::rl
