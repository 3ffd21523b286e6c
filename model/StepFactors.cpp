// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The scale goes into the second factor, and ranks are padded with zeros to what a product takes at a time.
#include "model/StepFactors.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <stdexcept>

namespace maskjit {

static constexpr int64_t kRankSlice = 16;

StepFactors::StepFactors(const GptOss &model) : model(model) {
  if (!model.adapter || !model.adapterEnabled)
    return;
  const Lora &lora = *model.adapter;
  const Config &config = model.config();
  rank = lora.config().rank, padded = (rank + kRankSlice - 1) / kRankSlice * kRankSlice;
  layers.resize(config.layers);
  const auto options = at::TensorOptions(model.dtype()).device(model.device());
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const std::pair<const char *, bool *> targets[] = {{"q_proj", &layers[layer].query},
                                                       {"k_proj", &layers[layer].key},
                                                       {"v_proj", &layers[layer].value},
                                                       {"o_proj", &layers[layer].output},
                                                       {"experts.gate_up_proj", &layers[layer].gateUp},
                                                       {"experts.down_proj", &layers[layer].down}};
    for (auto [target, adapted] : targets) {
      const LoraPair *pair = lora.find(layer, target);
      *adapted = pair != nullptr;
      if (!pair)
        continue;
      const bool stacked = std::string_view(target).substr(0, 8) == "experts.";
      std::vector<int64_t> a{padded, pair->a.size(1)}, b{pair->b.size(0), padded};
      if (stacked)
        a.insert(a.begin(), config.experts), b.insert(b.begin(), config.experts);
      copies.push_back({layer, target, stacked,
                        fmt::format("model.layers.{}.{}.{}", layer, stacked ? "mlp" : "self_attn", target),
                        at::zeros(a, options), at::zeros(b, options)});
    }
  }
}

void StepFactors::describe(StepSpec &spec, StepInputs &inputs) const {
  if (copies.empty())
    return;
  spec.adapters = layers, spec.adapterRank = padded;
  for (const Copy &copy : copies) {
    inputs[copy.name + ".lora_A.weight"].data = copy.a.data_ptr();
    inputs[copy.name + ".lora_B.weight"].data = copy.b.data_ptr();
  }
}

void StepFactors::refresh() {
  const at::NoGradGuard guard;
  const Lora *lora = model.adapterEnabled ? model.adapter.get() : nullptr;
  for (Copy &copy : copies) {
    if (!lora) {
      copy.b.zero_();
      continue;
    }
    const LoraPair *pair = lora->find(copy.layer, copy.target);
    if (!pair || lora->config().rank != rank)
      throw std::runtime_error(fmt::format("the decode step was made for an adapter of rank {} on {}; the model's has "
                                           "rank {}{}: make a new step",
                                           rank, copy.name, lora->config().rank, pair ? "" : " and not this target"));
    if (copy.stacked) { // as PEFT stores them: [E * r, in] and [out, r * E] with the experts running first
      const int64_t experts = copy.a.size(0);
      copy.a.narrow(1, 0, rank).copy_(pair->a.view({experts, rank, -1}));
      copy.b.narrow(2, 0, rank).copy_(pair->b.view({-1, rank, experts}).permute({2, 0, 1}) * lora->scaling());
    } else {
      copy.a.narrow(0, 0, rank).copy_(pair->a);
      copy.b.narrow(1, 0, rank).copy_(pair->b * lora->scaling());
    }
  }
}

} // namespace maskjit
