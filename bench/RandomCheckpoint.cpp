// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes a checkpoint of gpt-oss-20b's or 120b's size with random weights in the released layout, a tensor at a time:
// what speed, memory and loading are measured on. Routing by random weights is near uniform, and the text is noise.
#include "model/JsonFields.h"
#include "model/ShardWriter.h"
#include "model/Weights.h"
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <filesystem>
#include <fmt/format.h>

using namespace maskjit;

namespace {

/// config.json as released, for a number of layers and experts.
nlohmann::ordered_json configOf(int64_t layers, int64_t experts) {
  nlohmann::ordered_json types = nlohmann::ordered_json::array();
  for (int64_t layer = 0; layer < layers; ++layer)
    types.push_back(layer % 2 == 0 ? "sliding_attention" : "full_attention");
  return {{"architectures", {"GptOssForCausalLM"}},
          {"model_type", "gpt_oss"},
          {"attention_bias", true},
          {"attention_dropout", 0.0},
          {"eos_token_id", 200002},
          {"experts_per_token", 4},
          {"head_dim", 64},
          {"hidden_act", "silu"},
          {"hidden_size", 2880},
          {"initial_context_length", 4096},
          {"initializer_range", 0.02},
          {"intermediate_size", 2880},
          {"layer_types", types},
          {"max_position_embeddings", 131072},
          {"num_attention_heads", 64},
          {"num_experts_per_tok", 4},
          {"num_hidden_layers", layers},
          {"num_key_value_heads", 8},
          {"num_local_experts", experts},
          {"output_router_logits", false},
          {"pad_token_id", 199999},
          {"quantization_config",
           {{"modules_to_not_convert",
             {"model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"}},
            {"quant_method", "mxfp4"}}},
          {"rms_norm_eps", 1e-5},
          {"rope_scaling",
           {{"beta_fast", 32.0},
            {"beta_slow", 1.0},
            {"factor", 32.0},
            {"original_max_position_embeddings", 4096},
            {"rope_type", "yarn"},
            {"truncate", false}}},
          {"rope_theta", 150000},
          {"router_aux_loss_coef", 0.9},
          {"sliding_window", 128},
          {"swiglu_limit", 7.0},
          {"tie_word_embeddings", false},
          {"use_cache", true},
          {"vocab_size", 201088}};
}

at::Tensor randomBytes(const std::vector<int64_t> &shape, at::Generator generator) {
  int64_t bytes = 1;
  for (int64_t size : shape)
    bytes *= size;
  const at::Tensor words = at::empty({(bytes + 7) / 8}, at::kLong).random_(INT64_MIN, std::nullopt, generator);
  return words.view(at::kByte).narrow(0, 0, bytes).view(shape);
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app{"writes a checkpoint of random weights in the released layout of gpt-oss"};
  std::string size = "20b", out;
  int64_t layers = 0;
  uint64_t seed = 0;
  app.add_option("--size", size, "20b (13.8 GB) or 120b (65 GB)")->check(CLI::IsMember({"20b", "120b"}));
  app.add_option("--out", out, "folder to write")->required();
  app.add_option("--layers", layers, "fewer layers than the model has, for a smaller file");
  app.add_option("--seed", seed, "of the random numbers");
  CLI11_PARSE(app, argc, argv);
  try {
    at::set_num_threads(1);
    const bool large = size == "120b";
    const std::string text = configOf(layers ? layers : large ? 36 : 24, large ? 128 : 32).dump(2) + "\n";
    const Config config = Config::parse(text, "config.json");
    at::Generator generator = at::detail::createCPUGenerator(seed);
    ShardWriter writer(out);
    const auto add = [&](const std::string &name, const std::vector<int64_t> &shape) {
      const bool norm = name.find("norm.weight") != std::string::npos;
      at::Tensor values = at::empty(shape, at::kFloat);
      norm ? values.fill_(1) : values.normal_(0, config.initializerRange, generator);
      writer.add(name, values.to(at::kBFloat16));
    };
    Weights none; // nothing of it is kept
    visitWeights(none, config,
                 {[&](auto &name, auto &shape, at::Tensor &) { add(name, shape); },
                  [&](auto &name, auto &shape, Matrix &) {
                    if (shape.size() == 2)
                      return add(name, shape);
                    // 2^(120 - 127) times values of deviation 2.9 is near initializer_range.
                    writer.add(name + "_blocks", randomBytes({shape[0], shape[2], shape[1] / 32, 16}, generator));
                    writer.add(name + "_scales", at::full({shape[0], shape[2], shape[1] / 32}, 120, at::kByte));
                  }});
    writer.finish();
    writeTextFile(out + "/config.json", text);
    writeTextFile(out + "/generation_config.json",
                  "{\n  \"eos_token_id\": [200002, 199999, 200012],\n  \"pad_token_id\": 199999\n}\n");
  } catch (const std::exception &error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
