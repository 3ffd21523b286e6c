// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The decode step as it is compiled for older architectures, run from their PTX on this card, beside the model in fp32:
// how often both find the same token likeliest, and how far apart the logits are where they do not.
#include "model/DecodeStep.h"
#include "model/FromWeights.h"
#include "runtime/launch/Driver.h"
#include "tests/model/GptOssFixture.h"
#include "tests/runtime/torch/GpuPresence.h"
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace maskjit {
namespace {

constexpr int64_t kSlots = 8, kTokens = 96; // past the window of 32, so that rings turn

Config config() {
  std::string types;
  for (int i = 0; i < 6; ++i)
    types += fmt::format("{}\"{}\"", i ? "," : "", i % 2 ? "full_attention" : "sliding_attention");
  return Config::parse(fmt::format(R"({{"architectures":["GptOssForCausalLM"],"model_type":"gpt_oss","vocab_size":4096,
"hidden_size":384,"intermediate_size":384,"num_hidden_layers":6,"num_attention_heads":16,"num_key_value_heads":2,
"head_dim":64,"num_local_experts":16,"num_experts_per_tok":4,"experts_per_token":4,"sliding_window":32,
"layer_types":[{}],"rms_norm_eps":1e-05,"rope_theta":150000,"swiglu_limit":7.0,"max_position_embeddings":4096,
"initializer_range":0.06,"eos_token_id":2,"pad_token_id":1,"attention_bias":true,"hidden_act":"silu",
"tie_word_embeddings":false,"attention_dropout":0.0,"router_aux_loss_coef":0.9,"output_router_logits":false,
"rope_scaling":{{"rope_type":"yarn","factor":32.0,"beta_fast":32.0,"beta_slow":1.0,"truncate":false,
"original_max_position_embeddings":4096}}}})",
                                   types),
                       "config.json");
}

/// Numbers that bf16 and fp16 hold alike: every path reads the same weights.
Weights randomWeightsOf(const Config &config, bool packed) {
  Weights weights = packed ? randomPackedWeights(config, at::kCPU, at::kBFloat16, 5)
                           : randomWeights(config, at::kCPU, at::kBFloat16, 5);
  const auto ends = [](const std::string &name, const char *end) {
    return name.size() > strlen(end) && name.compare(name.size() - strlen(end), std::string::npos, end) == 0;
  };
  visitWeights(weights, config,
               {[&](auto &name, auto &, at::Tensor &tensor) {
                  if (ends(name, "norm.weight"))
                    tensor.add_(at::randn(tensor.sizes()), 0.1);
                  else if (ends(name, "bias"))
                    tensor.normal_(0, 0.1);
                },
                [](auto &, auto &, Matrix &) {}});
  return weights;
}

Weights moved(Weights weights, const Config &config, at::Device device, at::ScalarType dtype) {
  visitWeights(weights, config,
               {[&](auto &, auto &, at::Tensor &tensor) { tensor = tensor.to(device, dtype); },
                [&](auto &, auto &, Matrix &matrix) {
                  matrix = matrix.packed() ? matrix.to(device) : Matrix(matrix.dense().to(device, dtype));
                }});
  return weights;
}

/// $MASKJIT_ARCH for as long as this lives.
struct Architecture {
  std::string before;
  explicit Architecture(const char *arch) {
    if (const char *was = std::getenv("MASKJIT_ARCH"))
      before = was;
    setenv("MASKJIT_ARCH", arch, 1);
  }
  ~Architecture() { before.empty() ? unsetenv("MASKJIT_ARCH") : setenv("MASKJIT_ARCH", before.c_str(), 1); }
};

struct Found {
  int64_t disagreements = 0;
  double medianError = 0; // of a row of logits, of its norm
};

/// The step over the same tokens as `want` [slots, tokens, vocabulary], which fp32 gave.
Found compare(const Weights &weights, const Config &config, const char *arch, at::ScalarType dtype,
              const at::Tensor &ids, const at::Tensor &want) {
  const Architecture as(arch);
  const at::Device gpu(at::kCUDA, 0);
  const auto model = fromWeights(config, moved(weights, config, gpu, dtype), gpu, dtype);
  KvCache cache(config, kSlots, kTokens, gpu, dtype);
  SamplingOptions greedy;
  greedy.temperature = 0;
  DecodeStep step(*model, cache, kSlots, greedy);
  step.active.fill_(1);
  Found found;
  std::vector<at::Tensor> errors;
  for (int64_t i = 0; i < kTokens; ++i) {
    step.tokens.copy_(ids.select(1, i));
    step.run();
    const at::Tensor got = step.logits.to(at::kCPU), exact = want.select(1, i);
    EXPECT_TRUE(got.isfinite().all().item<bool>()) << arch;
    errors.push_back((got - exact).norm(2, 1) / exact.norm(2, 1));
    const at::Tensor error = (got - exact).abs().amax(1);
    const at::Tensor drawn = step.drawn.to(at::kCPU, at::kLong), best = exact.argmax(1);
    for (int64_t slot = 0; slot < kSlots; ++slot) {
      const int64_t ours = drawn[slot].item<int64_t>(), theirs = best[slot].item<int64_t>();
      if (ours == theirs)
        continue;
      ++found.disagreements;
      const float gap = (exact[slot][theirs] - exact[slot][ours]).item<float>();
      EXPECT_LE(gap, 2 * error[slot].item<float>()) << arch << ", slot " << slot << ", token " << i;
    }
  }
  found.medianError = at::cat(errors).median().item<double>();
  return found;
}

TEST(StepArchitectures, AgreeWithFp32AsOftenAsHoppers) {
  if (!test::gpuPresent())
    GTEST_SKIP() << "needs a gpu";
  at::zeros({1}, at::TensorOptions(at::kCUDA)); // gives the thread its context
  const auto device = cuda::Device::current();
  if (!device || device->major != 9)
    GTEST_SKIP() << "needs a gpu of sm_90, which runs both sm_90a's kernels and older ones'";
  const at::NoGradGuard guard;
  const Config config = maskjit::config();
  at::Generator(at::globalContext().defaultGenerator(at::kCPU)).set_current_seed(3);
  const at::Tensor ids = at::randint(config.vocabSize, {kSlots, kTokens}, at::kLong);
  for (bool packed : {true, false}) {
    const Weights weights = randomWeightsOf(config, packed);
    const auto exact = fromWeights(config, moved(weights, config, at::kCPU, at::kFloat), at::kCPU, at::kFloat);
    Batch batch;
    batch.inputIds = ids;
    const at::Tensor want = exact->logits(exact->forward(batch).last);
    const std::pair<const char *, at::ScalarType> paths[] = {
        {"sm_90a", at::kBFloat16}, {"sm_80", at::kBFloat16}, {"sm_80", at::kHalf}, {"sm_75", at::kHalf}};
    const double rows = kSlots * kTokens;
    double hopper = 0, hopperError = 0;
    for (auto [arch, dtype] : paths) {
      const Found found = compare(weights, config, arch, dtype, ids, want);
      const double disagree = static_cast<double>(found.disagreements);
      fmt::print("{} experts, {} {}: {:.2f}% of {} tokens as fp32, median error of a row of logits {:.1e}\n",
                 packed ? "MXFP4" : "16-bit", arch, c10::toString(dtype), 100 * (1 - disagree / rows), rows,
                 found.medianError);
      if (std::string(arch) == "sm_90a")
        hopper = disagree, hopperError = found.medianError;
      // The same rounding in other orders of sums: apart by no more than chance. With fp16's finer rounding: fewer.
      EXPECT_LE(disagree, hopper + (dtype == at::kHalf ? 0 : 2 * std::sqrt(hopper))) << arch;
      EXPECT_LE(found.medianError, 1.05 * hopperError) << arch;
    }
  }
}

} // namespace
} // namespace maskjit
