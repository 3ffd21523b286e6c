// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Batches of the golden fixtures as the model takes them.
#pragma once
#include "model/GptOss.h"
#include "tests/model/TensorFile.h"
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

namespace maskjit {

inline std::shared_ptr<GptOss> loadFixture(const std::string &name, at::Device device = at::kCPU,
                                           at::ScalarType dtype = at::kFloat) {
  at::set_num_threads(1); // as the programs do: LibTorch's threads spin, and its operations here are small
  return GptOss::load(fixture(name), device, dtype);
}

/// "left", "right" or "generate" of a logits file.
inline Batch batchOf(const TensorFile &file, const std::string &name) {
  Batch batch;
  batch.inputIds = file[name + ".input_ids"];
  batch.attentionMask = file[name + ".attention_mask"];
  return batch;
}

/// Prompts (padded on the left) and completions (padded on the right) joined, as in grads.safetensors.
inline Batch completionBatch(const TensorFile &file) {
  Batch batch;
  batch.inputIds = at::cat({file["prompt_ids"], file["completion_ids"]}, 1);
  batch.attentionMask = at::cat({file["prompt_mask"], file["completion_mask"]}, 1);
  return batch;
}

/// Log-probabilities [B, C] of the completions' tokens.
inline at::Tensor completionLogps(const GptOss &model, const TensorFile &file) {
  const at::Tensor hidden = model.forward(completionBatch(file)).last;
  const int64_t prompt = file["prompt_ids"].size(1), length = file["completion_ids"].size(1);
  const at::Tensor logits = model.logits(hidden.narrow(1, prompt - 1, length));
  return logits.log_softmax(-1).gather(2, file["completion_ids"].to(logits.device()).unsqueeze(2)).squeeze(2);
}

/// -sum(logps * mask) / sum(mask), the loss of the fixtures.
inline at::Tensor completionLoss(const at::Tensor &logps, const TensorFile &file) {
  const at::Tensor mask = file["completion_mask"].to(logps.device(), at::kFloat);
  return -(logps * mask).sum() / mask.sum();
}

} // namespace maskjit
