// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `maskjit-rl eval`: accuracy on problems that no training has seen.
#include "model/tools/Commands.h"
#include "rl/Evaluate.h"
#include "rl/tools/Commands.h"
#include "rl/tools/NamedOption.h"
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

namespace maskjit::rl {

namespace {
struct EvalSettings {
  std::string model = "rl/warmstart", adapter, task = "arithmetic", device = "cpu", dtype;
  EvaluateOptions options;
  std::optional<double> temperature;
  int64_t show = 5;
  bool json = false;
};
} // namespace

static void runEval(EvalSettings &s) {
  std::unique_ptr<Task> task = findTask(s.task);
  s.options.temperature = s.temperature.value_or(task->evaluationTemperature());
  auto model = ModelOptions{s.model, s.adapter, s.device, s.dtype}.load();
  auto tokenizer = Tokenizer::load(s.model);
  Evaluation result = evaluate(*model, *tokenizer, *task, s.options);
  if (s.json) {
    nlohmann::json line{
        {"accuracy", result.accuracy}, {"format", result.formatted}, {"samples", result.answers.size()}};
    fmt::print("{}\n", line.dump());
    return;
  }
  for (size_t i = 0; i < result.answers.size() && int64_t(i) < s.show; ++i) {
    const Evaluation::Answer &a = result.answers[i];
    fmt::print("  {} {}  {}\n", a.prompt,
               nlohmann::json(a.completion).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
               a.correct            ? "right"
               : a.expected.empty() ? std::string("wrong")
                                    : fmt::format("wrong, expected {}", a.expected));
  }
  fmt::print("{} {:.3f} on {} problems ({}), well-formed {:.3f}\n", task->gradeName(), result.accuracy,
             result.answers.size(),
             s.options.temperature == 0 ? std::string("greedy") : fmt::format("temperature {}", s.options.temperature),
             result.formatted);
}

void addEvalCommand(CLI::App &app, Session &) {
  CLI::App *command = app.add_subcommand("eval", "measure accuracy on held-out problems");
  auto s = std::make_shared<EvalSettings>();
  option(*command, "model", s->model, "directory of the checkpoint");
  option(*command, "adapter", s->adapter, "directory of a PEFT adapter, such as train's output_dir [none]");
  option(*command, "task", s->task, "arithmetic, matmul or matmul-schedule");
  option(*command, "device", s->device, "cpu or cuda")->check(CLI::IsMember({"cpu", "cuda"}));
  option(*command, "dtype", s->dtype, "float32 or bfloat16 [float32 on the CPU, bfloat16 on CUDA]")
      ->check(CLI::IsMember({"float32", "bfloat16"}));
  option(*command, "eval_samples", s->options.samples, "held-out problems");
  option(*command, "max_completion_length", s->options.maxNewTokens, "tokens of a completion");
  option(*command, "temperature", s->temperature, "0: greedy [the task's: 0 where there is one answer, else 1]");
  option(*command, "seed", s->options.seed, "of the choice of problems and of sampling");
  option(*command, "show", s->show, "problems to print");
  flag(*command, "json", s->json, "print one JSON object instead");
  command->callback([s] { runEval(*s); });
}

} // namespace maskjit::rl
