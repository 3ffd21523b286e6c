// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// LoRA adapters in PEFT's format, on attention projections and on expert parameters.
#pragma once
#include "model/Config.h"
#include <ATen/core/Tensor.h>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace maskjit {

struct LoraConfig {
  int64_t rank = 8;
  double alpha = 16;
  std::vector<std::string> targetModules = {"q_proj", "k_proj", "v_proj", "o_proj"};
  std::vector<std::string> targetParameters = {"mlp.experts.gate_up_proj", "mlp.experts.down_proj"};
};

/// One target's factors: W x becomes W x + (alpha / rank) B A x. Attention: a [r, in], b [out, r]. Experts, as PEFT
/// stores them: a [E * r, in] seen as [E, r, in]; b [out, r * E] seen as [out, r, E].
struct LoraPair {
  at::Tensor a, b; // fp32, requiring gradients
};

class Lora {
public:
  /// Fresh factors: A Kaiming-uniform, B zero, from `seed`. A target that matches nothing is an error.
  static std::shared_ptr<Lora> create(const Config &config, const LoraConfig &lora, at::Device device, uint64_t seed);
  /// Reads adapter_config.json and adapter_model.safetensors; throws std::runtime_error with a located message.
  static std::shared_ptr<Lora> load(const std::string &directory, const Config &config, at::Device device);
  /// Writes both files, loadable by PEFT.
  void save(const std::string &directory, const std::string &baseModel) const;

  const LoraConfig &config() const;
  double scaling() const; // alpha / rank
  /// Null if the layer has no such target: "q_proj", ..., "experts.gate_up_proj", "experts.down_proj".
  const LoraPair *find(int64_t layer, const std::string &target) const;
  /// All factors by PEFT's key, in a fixed order.
  std::vector<std::pair<std::string, at::Tensor>> parameters() const;

private:
  struct Impl;
  std::shared_ptr<Impl> impl;
};

} // namespace maskjit
