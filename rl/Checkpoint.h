// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checkpoints: a PEFT adapter and what else a run needs to go on exactly where it stopped.
#pragma once
#include "model/Lora.h"
#include <ATen/core/Tensor.h>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace maskjit::rl {

struct TrainerState {
  nlohmann::json json;                       // counters, open metrics, the settings' identity
  std::map<std::string, at::Tensor> tensors; // optimizer moments and an unfinished rollout
};

/// Writes `directory`/checkpoint-<step> as a whole: a temporary folder, renamed when it is complete.
void saveCheckpoint(const std::string &directory, int64_t step, const Lora &adapter, const std::string &baseModel,
                    const TrainerState &state);

/// `path` is a checkpoint folder, or an output directory whose latest checkpoint is meant. Throws std::runtime_error
/// saying what is missing.
std::string findCheckpoint(const std::string &path);
TrainerState loadTrainerState(const std::string &checkpoint, at::Device device);

/// Tensors to and from a safetensors file; F32, I64 and BOOL.
void writeTensors(const std::string &path, const std::map<std::string, at::Tensor> &tensors);
std::map<std::string, at::Tensor> readTensors(const std::string &path);

/// Replaces a text file as a whole.
void writeFileAtomically(const std::string &path, const std::string &text);

} // namespace maskjit::rl
