// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `maskjit-rl sft`: makes the warm start of a task.
#include "rl/Sft.h"
#include "rl/tasks/Task.h"
#include "rl/tools/Commands.h"
#include "rl/tools/NamedOption.h"
#include "rl/tools/Terminal.h"
#include <fmt/format.h>
#include <memory>

namespace maskjit::rl {

static void sft(const SftSettings &s, Session &session) {
  ProgressLine progress(s.loggingSteps);
  std::string measured, name = findTask(s.task)->gradeName();
  double accuracy = runSft(s, session.stop, [&](const SftReport &r) {
    if (r.accuracy >= 0)
      measured = fmt::format("  {} {:.3f}", name, r.accuracy);
    progress.show(r.step, r.maxSteps, r.seconds, fmt::format("loss {:.4f}{}", r.loss, measured));
  });
  progress.finish();
  fmt::print("{} {:.3f}; checkpoint in {}\n", name, accuracy, s.outputDir);
  if (session.stop)
    session.exitCode = 130;
}

void addSftCommand(CLI::App &app, Session &session) {
  CLI::App *command =
      app.add_subcommand("sft", "train a small gpt-oss from scratch on a task: the warm start of train");
  auto s = std::make_shared<SftSettings>();
  option(*command, "task", s->task, "arithmetic, matmul or matmul-schedule");
  option(*command, "output_dir", s->outputDir, "where the checkpoint goes");
  option(*command, "device", s->device, "cpu or cuda");
  option(*command, "dtype", s->dtype, "of the saved weights: bfloat16 or float32; learning is in float32");
  option(*command, "seed", s->seed, "of weights and problems");
  option(*command, "care", s->care, "chance that the teacher carries where it must: below 1 leaves something to learn");
  option(*command, "hidden_size", s->hiddenSize, "width");
  option(*command, "num_hidden_layers", s->layers, "layers, sliding and full in turn");
  option(*command, "num_attention_heads", s->headsQ, "query heads");
  option(*command, "num_key_value_heads", s->headsKv, "key and value heads");
  option(*command, "head_dim", s->headDim, "width of a head");
  option(*command, "num_local_experts", s->experts, "experts a layer");
  option(*command, "num_experts_per_tok", s->expertsPerToken, "experts a token");
  option(*command, "intermediate_size", s->intermediateSize, "width of an expert");
  option(*command, "sliding_window", s->slidingWindow, "keys that a sliding layer sees");
  option(*command, "initializer_range", s->initializerRange, "standard deviation of the initial weights");
  option(*command, "batch_size", s->batchSize, "problems a step");
  option(*command, "max_steps", s->maxSteps, "optimizer steps");
  option(*command, "warmup_steps", s->warmupSteps, "steps of linear warm-up");
  option(*command, "learning_rate", s->learningRate, "peak of the schedule");
  option(*command, "lr_scheduler_type", s->lrSchedulerType, "linear, constant, constant_with_warmup or cosine");
  option(*command, "weight_decay", s->weightDecay, "of AdamW");
  option(*command, "max_grad_norm", s->maxGradNorm, "clip the gradient's norm; 0: never");
  option(*command, "logging_steps", s->loggingSteps, "steps a measurement of held-out accuracy");
  option(*command, "eval_samples", s->evalSamples, "held-out problems of a measurement");
  option(*command, "target_accuracy", s->targetAccuracy, "stop at this held-out accuracy");
  auto config = std::make_shared<std::string>();
  addConfigOption(*command, *config);
  command->callback([command, s, config, &session] {
    applyConfig(*command, *config);
    sft(*s, session);
  });
}

} // namespace maskjit::rl
