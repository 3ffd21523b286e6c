// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// tokenizer.json files that differ from what is supported are refused by the name of the field.
#include "model/Tokenizer.h"
#include "tests/runtime/safetensors/TemporaryFolder.h"
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <stdexcept>

using namespace maskjit;
using nlohmann::json;
using testing::HasSubstr;

namespace {

class VocabularyJson : public testing::Test {
protected:
  VocabularyJson() {
    std::ifstream file(MASKJIT_FIXTURES "/gpt-oss-tiny-bf16/tokenizer.json");
    root = json::parse(file);
  }
  std::string refusalOfText(const std::string &text) {
    folder.write("tokenizer.json", text);
    try {
      Tokenizer::load(folder.path.string());
    } catch (const std::runtime_error &error) {
      const std::string message = error.what(), file = folder.file("tokenizer.json") + ": ";
      EXPECT_EQ(message.rfind(file, 0), 0u) << message;
      return message.substr(std::min(file.size(), message.size()));
    }
    return "";
  }
  std::string refusal(const std::function<void(json &)> &change) {
    json changed = root;
    change(changed);
    return refusalOfText(changed.dump());
  }
  json root;
  test::TemporaryFolder folder;
};

TEST_F(VocabularyJson, UnchangedIsAccepted) {
  EXPECT_EQ(refusal([](json &) {}), "");
}

TEST_F(VocabularyJson, OlderSpellingOfMerges) {
  EXPECT_EQ(refusal([](json &j) {
              for (json &merge : j["model"]["merges"])
                merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
            }),
            "");
  const auto tokenizer = Tokenizer::load(folder.path.string());
  EXPECT_EQ(tokenizer->encode("internationalization"),
            Tokenizer::load(MASKJIT_FIXTURES "/gpt-oss-tiny-bf16")->encode("internationalization"));
}

TEST_F(VocabularyJson, RefusesOtherTokenizers) {
  EXPECT_THAT(refusalOfText("{"), HasSubstr("not JSON"));
  EXPECT_THAT(refusalOfText("[]"), HasSubstr("model: expected an object"));
  EXPECT_THAT(refusal([](json &j) { j["model"]["type"] = "Unigram"; }), HasSubstr("model.type: expected BPE"));
  EXPECT_THAT(refusal([](json &j) { j["model"]["byte_fallback"] = true; }), HasSubstr("model.byte_fallback"));
  EXPECT_THAT(refusal([](json &j) { j["model"]["unk_token"] = "?"; }), HasSubstr("model.unk_token: expected null"));
  EXPECT_THAT(refusal([](json &j) { j["model"]["vocab"]["in"] = -1; }), HasSubstr("model.vocab.in: expected an id"));
  EXPECT_THAT(refusal([](json &j) { j["model"]["vocab"]["in"] = 1 << 30; }),
              HasSubstr("model.vocab.in: expected an id"));
  EXPECT_THAT(refusal([](json &j) { j["model"]["vocab"].erase("in"); }), HasSubstr("which has no 'in'"));
  EXPECT_THAT(refusal([](json &j) { j["model"]["vocab"].erase("~"); }), HasSubstr("no token for byte 0x7e"));
  EXPECT_THAT(refusal([](json &j) { j["model"]["merges"][3] = 7; }), HasSubstr("model.merges[3]: expected a pair"));
  EXPECT_THAT(refusal([](json &j) { j["normalizer"] = {{"type", "NFC"}}; }), HasSubstr("normalizer: expected null"));
  EXPECT_THAT(refusal([](json &j) { j["decoder"]["type"] = "Metaspace"; }), HasSubstr("decoder.type"));
  EXPECT_THAT(refusal([](json &j) { j["post_processor"]["type"] = "TemplateProcessing"; }),
              HasSubstr("post_processor"));
  EXPECT_THAT(refusal([](json &j) { j["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed"; }),
              HasSubstr("pre_tokenizer: expected a Sequence"));
  EXPECT_THAT(refusal([](json &j) { j["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = 1; }),
              HasSubstr("pre_tokenizer.pattern.Regex: expected a string"));
  EXPECT_THAT(refusal([](json &j) { j["added_tokens"][2]["lstrip"] = true; }),
              HasSubstr("added_tokens '<|reserved_2|>'.lstrip: expected false"));
  EXPECT_THAT(refusal([](json &j) { j["added_tokens"][2]["id"] = "x"; }), HasSubstr("added_tokens.id"));
}

} // namespace
