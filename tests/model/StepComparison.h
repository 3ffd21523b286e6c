// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiled decode steps beside forward passes over the same tokens, with adapters or without.
#pragma once
#include "model/DecodeStep.h"
#include "tests/model/GptOssFixture.h"

namespace maskjit {

/// An adapter whose second factors are not zero, the same on every device.
inline std::shared_ptr<Lora> randomAdapter(const GptOss &model, const LoraConfig &config, uint64_t seed) {
  auto lora = Lora::create(model.config(), config, model.device(), seed);
  const at::NoGradGuard guard;
  at::manual_seed(seed);
  for (auto [name, tensor] : lora->parameters())
    if (name.find("lora_B") != std::string::npos)
      tensor.copy_(at::randn(tensor.sizes()) * 0.05);
  return lora;
}

inline LoraConfig adapterOf(int64_t rank, std::vector<std::string> modules, std::vector<std::string> parameters) {
  return {rank, 2. * rank, std::move(modules), std::move(parameters)};
}

inline at::Tensor distances(const at::Tensor &got, const at::Tensor &want) {
  return ((got - want).norm(2, 1) / want.norm(2, 1)).to(at::kCPU);
}

inline double median(const std::vector<at::Tensor> &errors) {
  return at::quantile(at::cat(errors), 0.5).item<double>();
}

/// Steps of a model and the forward passes of others, all with the tokens that the step draws from an empty cache.
struct Comparison {
  std::vector<std::vector<at::Tensor>> errors; // of the step against each other model
  at::Tensor logits;                           // the step's last

  Comparison(const GptOss &model, const std::vector<const GptOss *> &others, int64_t slots, int steps)
      : errors(others.size()) {
    const at::NoGradGuard guard;
    KvCache cache(model.config(), slots, 64, model.device(), model.dtype());
    std::vector<std::unique_ptr<KvCache>> caches;
    for (const GptOss *other : others)
      caches.push_back(std::make_unique<KvCache>(other->config(), slots, 64, other->device(), other->dtype()));
    SamplingOptions greedy;
    greedy.temperature = 0;
    DecodeStep step(model, cache, slots, greedy);
    step.active.fill_(1);
    step.tokens.copy_(at::arange(slots).mul_(37).add_(5).remainder_(model.config().vocabSize));
    for (int i = 0; i < steps; ++i) {
      Batch next;
      next.inputIds = step.tokens.to(at::kCPU, at::kLong).unsqueeze(1);
      std::vector<at::Tensor> wants;
      for (size_t m = 0; m < others.size(); ++m)
        wants.push_back(others[m]->logits(others[m]->forward(next, caches[m].get()).last.squeeze(1)));
      step.run();
      for (size_t m = 0; m < others.size(); ++m)
        errors[m].push_back(distances(step.logits, wants[m].to(step.logits.device())));
    }
    logits = step.logits.clone();
  }
};

} // namespace maskjit
