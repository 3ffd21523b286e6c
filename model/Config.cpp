// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads and checks config.json and generation_config.json; every field that is wrong gets its own message.
#include "model/Config.h"
#include "model/JsonFields.h"
#include <filesystem>

namespace maskjit {
namespace {

// Sizes beyond these are no model: they keep products of two sizes far from overflow.
constexpr int64_t kMaxSize = int64_t(1) << 24, kMaxLayers = 4096, kMaxPositions = int64_t(1) << 28;

std::vector<int64_t> tokenIds(const JsonFields &fields, const char *name) {
  const nlohmann::json *value = fields.find(name);
  std::vector<int64_t> ids;
  if (!value || value->is_null())
    return ids;
  for (const nlohmann::json &id : value->is_array() ? *value : nlohmann::json::array({*value})) {
    if (!id.is_number_integer())
      fields.fail(name, "expected a token id or a list of them, got " + id.dump());
    ids.push_back(id.get<int64_t>());
  }
  return ids;
}

void readRope(const JsonFields &fields, Config &config) {
  // Released files: rope_scaling, with rope_theta beside it. transformers 5: rope_parameters, with rope_theta inside.
  const bool inside = fields.find("rope_parameters");
  const JsonFields rope = fields.object(inside ? "rope_parameters" : "rope_scaling");
  config.ropeTheta = (inside ? rope : fields).number("rope_theta", 1, 1e12);
  const std::string type = rope.text("rope_type", "yarn");
  if (type != "yarn")
    rope.fail("rope_type", "expected \"yarn\", got \"" + type + "\"");
  config.ropeFactor = rope.number("factor", 1, 1e6);
  config.ropeBetaFast = rope.number("beta_fast", 1e-6, 1e6, 32.0);
  config.ropeBetaSlow = rope.number("beta_slow", 1e-6, 1e6, 1.0);
  config.ropeTruncate = rope.boolean("truncate", true); // transformers' default; gpt-oss says false
  config.ropeOriginalLength = rope.integer("original_max_position_embeddings", 1, kMaxPositions);
}

void readLayerTypes(const JsonFields &fields, Config &config) {
  const nlohmann::json *types = fields.find("layer_types");
  if (!types || types->is_null()) { // early files leave it out: layers alternate, the first one slides
    for (int64_t layer = 0; layer < config.layers; ++layer)
      config.sliding.push_back(layer % 2 == 0);
    return;
  }
  if (!types->is_array() || int64_t(types->size()) != config.layers)
    fields.fail("layer_types", "expected a list of " + std::to_string(config.layers) +
                                   " entries (num_hidden_layers), got " +
                                   (types->is_array() ? std::to_string(types->size()) : types->dump()));
  for (const nlohmann::json &type : *types) {
    if (type != "sliding_attention" && type != "full_attention")
      fields.fail("layer_types", "expected \"sliding_attention\" or \"full_attention\", got " + type.dump());
    config.sliding.push_back(type == "sliding_attention");
  }
}

void readSizes(const JsonFields &fields, Config &config) {
  config.vocabSize = fields.integer("vocab_size", 1, kMaxSize);
  config.hiddenSize = fields.integer("hidden_size", 1, kMaxSize);
  config.intermediateSize = fields.integer("intermediate_size", 1, kMaxSize);
  config.layers = fields.integer("num_hidden_layers", 1, kMaxLayers);
  config.headsQ = fields.integer("num_attention_heads", 1, kMaxSize);
  config.headsKv = fields.integer("num_key_value_heads", 1, kMaxSize);
  config.headDim = fields.integer("head_dim", 2, kMaxSize);
  config.experts = fields.integer("num_local_experts", 1, kMaxSize);
  config.expertsPerToken =
      fields.integer(fields.find("num_experts_per_tok") ? "num_experts_per_tok" : "experts_per_token", 1, kMaxSize);
  config.slidingWindow = fields.integer("sliding_window", 1, kMaxPositions);
  config.maxPositions = fields.integer("max_position_embeddings", 1, kMaxPositions, 131072);
  if (config.headsQ % config.headsKv)
    fields.fail("num_key_value_heads", std::to_string(config.headsKv) + " does not divide num_attention_heads (" +
                                           std::to_string(config.headsQ) + ")");
  if (config.headsQ * config.headDim > kMaxSize)
    fields.fail("head_dim", std::to_string(config.headDim) + " times num_attention_heads (" +
                                std::to_string(config.headsQ) + ") is more than " + std::to_string(kMaxSize));
  if (config.headDim % 2)
    fields.fail("head_dim", "expected an even number (rope turns pairs), got " + std::to_string(config.headDim));
  if (config.expertsPerToken > config.experts)
    fields.fail("num_experts_per_tok", std::to_string(config.expertsPerToken) + " is more than num_local_experts (" +
                                           std::to_string(config.experts) + ")");
}

} // namespace

Config Config::parse(const std::string &text, const std::string &file) {
  const JsonFields fields = JsonFields::parse(text, file);
  const std::string type = fields.text("model_type", "");
  if (type != "gpt_oss")
    fields.fail("model_type", "expected \"gpt_oss\", got \"" + type + "\"");
  Config config;
  config.json = text;
  readSizes(fields, config);
  readLayerTypes(fields, config);
  readRope(fields, config);
  config.rmsNormEps = fields.number("rms_norm_eps", 1e-12, 1, 1e-5);
  config.swigluLimit = fields.number("swiglu_limit", 1e-6, 1e6, 7.0);
  config.swigluAlpha = fields.number("swiglu_alpha", 1e-6, 1e6, 1.702);
  config.initializerRange = fields.number("initializer_range", 0, 1e3, 0.02);
  config.routerAuxLossCoef = fields.number("router_aux_loss_coef", 0, 1e6, 0.9);
  if (fields.boolean("tie_word_embeddings", false))
    fields.fail("tie_word_embeddings", "expected false: gpt-oss has an lm_head of its own");
  if (!fields.boolean("attention_bias", true))
    fields.fail("attention_bias", "expected true: gpt-oss' projections have biases");
  const std::string activation = fields.text("hidden_act", "silu");
  if (activation != "silu")
    fields.fail("hidden_act", "expected \"silu\", got \"" + activation + "\"");
  const std::vector<int64_t> pad = tokenIds(fields, "pad_token_id");
  if (pad.size() > 1)
    fields.fail("pad_token_id", "expected one token id, got " + std::to_string(pad.size()));
  config.padTokenId = pad.empty() ? -1 : pad[0];
  config.eosTokenIds = tokenIds(fields, "eos_token_id");
  return config;
}

Config Config::load(const std::string &directory) {
  const std::string file = directory + "/config.json", generation = directory + "/generation_config.json";
  if (!std::filesystem::is_directory(directory))
    throw std::runtime_error(directory + ": no such folder; expected a Hugging Face checkpoint (config.json, "
                                         "model.safetensors)");
  Config config = parse(readTextFile(file), file);
  if (std::filesystem::exists(generation)) {
    const JsonFields fields = JsonFields::parse(readTextFile(generation), generation);
    if (std::vector<int64_t> ids = tokenIds(fields, "eos_token_id"); !ids.empty())
      config.eosTokenIds = ids;
  }
  return config;
}

std::string Config::toJson(const std::string &dtype) const {
  nlohmann::ordered_json out = json.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json::parse(json);
  if (json.empty()) {
    nlohmann::ordered_json types = nlohmann::ordered_json::array();
    for (bool slides : sliding)
      types.push_back(slides ? "sliding_attention" : "full_attention");
    out = {{"architectures", {"GptOssForCausalLM"}},
           {"model_type", "gpt_oss"},
           {"attention_bias", true},
           {"attention_dropout", 0.0},
           {"head_dim", headDim},
           {"hidden_act", "silu"},
           {"hidden_size", hiddenSize},
           {"initializer_range", initializerRange},
           {"intermediate_size", intermediateSize},
           {"layer_types", types},
           {"max_position_embeddings", maxPositions},
           {"num_attention_heads", headsQ},
           {"num_experts_per_tok", expertsPerToken},
           {"num_hidden_layers", layers},
           {"num_key_value_heads", headsKv},
           {"num_local_experts", experts},
           {"rms_norm_eps", rmsNormEps},
           {"rope_parameters",
            {{"rope_type", "yarn"},
             {"rope_theta", ropeTheta},
             {"factor", ropeFactor},
             {"beta_fast", ropeBetaFast},
             {"beta_slow", ropeBetaSlow},
             {"truncate", ropeTruncate},
             {"original_max_position_embeddings", ropeOriginalLength}}},
           {"router_aux_loss_coef", routerAuxLossCoef},
           {"sliding_window", slidingWindow},
           {"swiglu_alpha", swigluAlpha},
           {"swiglu_limit", swigluLimit},
           {"tie_word_embeddings", false},
           {"vocab_size", vocabSize}};
    if (padTokenId >= 0)
      out["pad_token_id"] = padTokenId;
    if (!eosTokenIds.empty())
      out["eos_token_id"] =
          eosTokenIds.size() == 1 ? nlohmann::ordered_json(eosTokenIds[0]) : nlohmann::ordered_json(eosTokenIds);
  }
  out.erase("quantization_config"); // the weights are written dequantized
  out.erase("torch_dtype");         // transformers 4's name of dtype
  out["dtype"] = dtype;
  return out.dump(2) + "\n";
}

} // namespace maskjit
