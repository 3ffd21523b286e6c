// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Both spellings of config.json, and a message for every field that does not fit.
#include "model/Config.h"
#include "model/JsonFields.h"
#include "tests/model/TensorFile.h"
#include <filesystem>
#include <gmock/gmock.h>

namespace maskjit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ConfigSpelling : public testing::TestWithParam<const char *> {};

TEST_P(ConfigSpelling, ReadsEveryField) {
  const Config c = Config::load(fixture(GetParam()));
  EXPECT_THAT((std::vector<int64_t>{c.vocabSize, c.hiddenSize, c.intermediateSize, c.layers, c.headsQ, c.headsKv,
                                    c.headDim, c.experts, c.expertsPerToken, c.slidingWindow}),
              ElementsAre(512, 128, 64, 4, 4, 2, 64, 8, 4, 16));
  EXPECT_THAT(c.sliding, ElementsAre(true, false, true, false));
  EXPECT_EQ(c.ropeTheta, 150000);
  EXPECT_EQ(c.ropeFactor, 32);
  EXPECT_EQ(c.ropeOriginalLength, 4096);
  EXPECT_FALSE(c.ropeTruncate);
  EXPECT_EQ(c.padTokenId, 497);
  EXPECT_THAT(c.eosTokenIds, ElementsAre(500, 497, 510)); // generation_config.json's, not config.json's 500 alone
}
INSTANTIATE_TEST_SUITE_P(Checkpoints, ConfigSpelling, testing::Values("gpt-oss-tiny-bf16", "gpt-oss-tiny-mxfp4"));

/// The message for the BF16 fixture's config.json with one field set, or taken away if `value` is "absent".
std::string messageFor(const std::string &field, const nlohmann::json &value) {
  nlohmann::json config = nlohmann::json::parse(readTextFile(fixture("gpt-oss-tiny-bf16/config.json")));
  nlohmann::json &object = field.find('.') == std::string::npos ? config : config["rope_parameters"];
  const std::string name = field.substr(field.find('.') + 1);
  if (value == "absent")
    object.erase(name);
  else
    object[name] = value;
  return messageOf([&] { Config::parse(config.dump(), "config.json"); });
}

TEST(Config, RefusesWhatDoesNotFit) {
  EXPECT_EQ(messageFor("hidden_size", 128), "");
  EXPECT_THAT(messageFor("model_type", "llama"),
              HasSubstr("config.json: model_type: expected \"gpt_oss\", got \"llama\""));
  EXPECT_THAT(messageFor("hidden_size", -1), HasSubstr("hidden_size: expected an integer in 1..16777216, got -1"));
  EXPECT_THAT(messageFor("hidden_size", 1.5), HasSubstr("got 1.5"));
  EXPECT_THAT(messageFor("hidden_size", 18446744073709551615u), HasSubstr("got 18446744073709551615"));
  EXPECT_THAT(messageFor("vocab_size", "absent"),
              HasSubstr("vocab_size: expected an integer in 1..16777216, but there"));
  EXPECT_THAT(messageFor("head_dim", 63), HasSubstr("head_dim: expected an even number"));
  EXPECT_THAT(messageFor("head_dim", 1 << 23),
              HasSubstr("head_dim: 8388608 times num_attention_heads (4) is more than"));
  EXPECT_THAT(messageFor("num_key_value_heads", 3), HasSubstr("3 does not divide num_attention_heads (4)"));
  EXPECT_THAT(messageFor("num_experts_per_tok", 9), HasSubstr("9 is more than num_local_experts (8)"));
  EXPECT_THAT(messageFor("layer_types", {"full_attention"}), HasSubstr("expected a list of 4 entries"));
  EXPECT_THAT(messageFor("layer_types", {"a", "full_attention", "full_attention", "full_attention"}),
              HasSubstr("layer_types: expected \"sliding_attention\" or \"full_attention\", got \"a\""));
  EXPECT_THAT(messageFor("rope_parameters", 3), HasSubstr("rope_parameters: expected an object, got 3"));
  EXPECT_THAT(messageFor("rope.rope_type", "linear"), HasSubstr("rope_parameters.rope_type: expected \"yarn\""));
  EXPECT_THAT(messageFor("rope.factor", "absent"), HasSubstr("rope_parameters.factor: expected a number in"));
  EXPECT_THAT(messageFor("rope.rope_theta", "x"), HasSubstr("rope_parameters.rope_theta: expected a number in"));
  EXPECT_THAT(messageFor("rms_norm_eps", 0), HasSubstr("rms_norm_eps: expected a number in"));
  EXPECT_THAT(messageFor("tie_word_embeddings", true), HasSubstr("tie_word_embeddings: expected false"));
  EXPECT_THAT(messageFor("attention_bias", false), HasSubstr("attention_bias: expected true"));
  EXPECT_THAT(messageFor("hidden_act", "gelu"), HasSubstr("hidden_act: expected \"silu\", got \"gelu\""));
  EXPECT_THAT(messageFor("eos_token_id", "x"),
              HasSubstr("eos_token_id: expected a token id or a list of them, got \"x\""));
}

TEST(Config, RefusesWhatIsNoObject) {
  EXPECT_THAT(messageOf([] { Config::parse("{", "config.json"); }), HasSubstr("config.json: not JSON"));
  EXPECT_THAT(messageOf([] { Config::parse("[1]", "config.json"); }), HasSubstr("expected a JSON object, got array"));
  EXPECT_THAT(messageOf([] { Config::load("/nowhere"); }), HasSubstr("/nowhere: no such folder"));
  TemporaryFolder folder;
  EXPECT_THAT(messageOf([&] { Config::load(folder.path); }), HasSubstr("config.json: cannot be read"));
}

TEST(Config, WritesWhatItReadsAgain) {
  Config c = Config::load(fixture("gpt-oss-tiny-mxfp4"));
  const nlohmann::json kept = nlohmann::json::parse(c.toJson("float32"));
  EXPECT_FALSE(kept.contains("quantization_config"));
  EXPECT_EQ(kept["dtype"], "float32");
  EXPECT_EQ(kept["rope_scaling"]["factor"], 32.0);
  c.json.clear(); // as a model made from nothing
  const Config again = Config::parse(c.toJson("bfloat16"), "config.json");
  EXPECT_EQ(again.sliding, c.sliding);
  EXPECT_EQ(again.intermediateSize, 64);
  EXPECT_EQ(again.ropeOriginalLength, 4096);
  EXPECT_FALSE(again.ropeTruncate);
  EXPECT_EQ(again.eosTokenIds, c.eosTokenIds);
}

} // namespace
} // namespace maskjit
