// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// maskjit-rl logits: the logits of given token ids as a safetensors file, to compare with any other implementation.
#include "model/Checkpoint.h"
#include "model/tools/Commands.h"
#include <ATen/core/grad_mode.h>
#include <CLI/CLI.hpp>

namespace maskjit {
namespace {

struct LogitsArguments {
  ModelOptions model;
  std::string inputs, out;
};

void runLogits(const LogitsArguments &arguments) {
  Result<SafetensorsFile> file = SafetensorsFile::open(arguments.inputs);
  if (!file)
    throw std::runtime_error(file.error().message);
  Batch batch;
  const std::pair<const char *, at::Tensor *> known[] = {{"input_ids", &batch.inputIds},
                                                         {"attention_mask", &batch.attentionMask},
                                                         {"position_ids", &batch.positionIds},
                                                         {"document_ids", &batch.documents}};
  for (auto &[name, record] : file->tensors()) {
    at::Tensor *target = nullptr;
    for (auto &[knownName, tensor] : known)
      if (name == knownName)
        target = tensor;
    if (!target)
      throw std::runtime_error(arguments.inputs + ": " + name +
                               ": expected input_ids, attention_mask, position_ids or document_ids");
    if (record.dtype != "I64" && record.dtype != "I32" && record.dtype != "BOOL")
      throw std::runtime_error(arguments.inputs + ": " + name + ": expected I64, I32 or BOOL, got " + record.dtype);
    *target = tensorOf(record).to(at::kLong);
  }
  if (!batch.inputIds.defined())
    throw std::runtime_error(arguments.inputs + ": holds no input_ids");
  at::NoGradGuard noGradients;
  const std::shared_ptr<GptOss> model = arguments.model.load();
  const at::Tensor logits = model->logits(model->forward(batch).last).to(at::kCPU).contiguous();
  Result<void> written = writeSafetensors(arguments.out, {{"logits", recordOf(logits)}});
  if (!written)
    throw std::runtime_error(written.error().message);
}

} // namespace

void addLogitsCommand(CLI::App &app) {
  auto arguments = std::make_shared<LogitsArguments>();
  CLI::App &command = *app.add_subcommand("logits", "write the logits of token ids");
  arguments->model.addTo(command);
  command
      .add_option("--inputs", arguments->inputs,
                  "safetensors with input_ids [B, T] and, if wanted, attention_mask, position_ids, document_ids")
      ->required();
  command.add_option("--out", arguments->out, "safetensors to write: logits [B, T, vocabulary], fp32")->required();
  command.callback([arguments] { runLogits(*arguments); });
}

} // namespace maskjit
