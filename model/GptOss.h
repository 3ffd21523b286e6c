// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// gpt-oss: prefill, decode with a KV cache and the training forward, all through the compiled attention kernels.
#pragma once
#include "model/Config.h"
#include "model/KvCache.h"
#include "model/Lora.h"
#include "model/Weights.h"
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace maskjit {

/// Tokens of a batch; each row's real tokens are contiguous (padding left, right or both).
struct Batch {
  at::Tensor inputIds;        // [B, T] int64
  at::Tensor attentionMask;   // [B, T] int64, 1 on real tokens; undefined: all real
  at::Tensor documents;       // [T] or [B, T] int32, sorted document ids of packed rows; undefined: one document a row
  at::Tensor positionIds;     // [B, T] int64; undefined: counted from each row's (document's) first real token
  std::vector<int64_t> slots; // of the KV cache that each row goes on in; empty: row i in slot i
};

/// What the layers leave; zeros where padding is.
struct HiddenStates {
  at::Tensor last;                      // [B, T, hidden] after the final norm
  std::vector<at::Tensor> routerLogits; // a layer, [B, T, experts], if asked for
  std::vector<at::Tensor> layers;       // a layer, [B, T, hidden], if asked for
};
struct ForwardOptions {
  bool routerLogits = false, layers = false;
  /// Called in each layer with the rows [N, ..] at "attention.input", "attention.output", "experts.input" (both inputs
  /// are the residual stream), "router.output" and "experts.output"; it may change them.
  std::function<void(int64_t layer, const char *place, at::Tensor &rows)> trace;
};

class GptOss {
public:
  /// Loads a Hugging Face directory (config.json, model.safetensors or shards with index). `dtype` of weights and
  /// activations: kFloat or kBFloat16. Throws std::runtime_error with a located message.
  /// 4-bit weights stay as they are unless `options` say otherwise.
  static std::shared_ptr<GptOss> load(const std::string &directory, at::Device device, at::ScalarType dtype,
                                      const LoadOptions &options = {});
  /// A model with random weights (normal, initializer_range), for warm starts and benchmarks.
  static std::shared_ptr<GptOss> random(const Config &config, at::Device device, at::ScalarType dtype, uint64_t seed);
  /// The same with experts in MXFP4, filled on the device.
  static std::shared_ptr<GptOss> randomPacked(const Config &config, at::Device device, at::ScalarType dtype,
                                              uint64_t seed);
  /// Writes config.json, generation_config.json and model.safetensors as `save_pretrained` does, in `dtype` (kBFloat16
  /// or kFloat; default: the model's own).
  void save(const std::string &directory, std::optional<at::ScalarType> dtype = std::nullopt) const;

  const Config &config() const;
  at::Device device() const;
  at::ScalarType dtype() const;
  /// Differentiable in the adapter's parameters and in every parameter that requires gradients.
  /// With a cache: the tokens follow those that the cache holds, and are appended to it (no gradients).
  HiddenStates forward(const Batch &batch, KvCache *cache = nullptr, const ForwardOptions &options = {}) const;
  /// [.., hidden] -> [.., vocabulary], fp32.
  at::Tensor logits(const at::Tensor &hidden) const;

  const Weights &weights() const;
  /// Every weight that is held as numbers by its Hugging Face name; experts are [E, in, out]. 4-bit weights are frozen.
  std::vector<std::pair<std::string, at::Tensor>> parameters() const;

  /// The adapter that forward applies; null: none. Switch it off for reference log-probabilities.
  std::shared_ptr<Lora> adapter;
  bool adapterEnabled = true;

  struct Impl;
  explicit GptOss(std::shared_ptr<Impl> impl) : impl(std::move(impl)) {}

private:
  std::shared_ptr<Impl> impl;
};

} // namespace maskjit
