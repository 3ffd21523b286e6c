// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Conversations against openai-harmony: text, ids, and completions parsed.
#include "model/Harmony.h"
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace maskjit;
using namespace maskjit::harmony;
using Json = nlohmann::ordered_json;
using Ids = std::vector<int64_t>;
using testing::HasSubstr;

namespace {

/// The ids of openai-harmony with its own vocabulary; text alone needs none.
class Harmony : public testing::Test {
protected:
  static void SetUpTestSuite() {
    if (*MASKJIT_O200K)
      tokenizer = Tokenizer::fromO200k(MASKJIT_O200K);
    std::ifstream file(MASKJIT_FIXTURES "/tokenizer/harmony_vectors.json");
    vectors = Json::parse(file);
  }
  static void TearDownTestSuite() { tokenizer.reset(); }
  static std::shared_ptr<const Tokenizer> tokenizer;
  static Json vectors;
};
std::shared_ptr<const Tokenizer> Harmony::tokenizer;
Json Harmony::vectors;

TEST_F(Harmony, RendersText) {
  ASSERT_EQ(vectors["conversations"].size(), 7u);
  for (const Json &c : vectors["conversations"]) {
    const std::vector<Message> messages = messagesFromJson(c["messages"]);
    EXPECT_EQ(render(messages), c["for_completion_text"]) << c["name"];
    EXPECT_EQ(render(messages, {Purpose::Training}), c["for_training_text"]) << c["name"];
  }
}

TEST_F(Harmony, RendersIds) {
  if (!tokenizer)
    GTEST_SKIP() << "the vocabulary was not unpacked: no xz at configuration";
  for (const Json &c : vectors["conversations"]) {
    const std::vector<Message> messages = messagesFromJson(c["messages"]);
    EXPECT_EQ(encode(*tokenizer, messages), c["for_completion"].get<Ids>()) << c["name"];
    EXPECT_EQ(encode(*tokenizer, messages, {Purpose::Completion, true}), c["for_completion_keep_analysis"].get<Ids>())
        << c["name"];
    EXPECT_EQ(encode(*tokenizer, messages, {Purpose::Training}), c["for_training"].get<Ids>()) << c["name"];
    EXPECT_EQ(encode(*tokenizer, messages, {Purpose::Plain}), c["plain"].get<Ids>()) << c["name"];
  }
}

TEST_F(Harmony, ParsesCompletions) {
  if (!tokenizer)
    GTEST_SKIP() << "the vocabulary was not unpacked: no xz at configuration";
  const Json &expected = vectors["parse"];
  const std::vector<Message> messages = parse(*tokenizer, expected["ids"].get<Ids>());
  ASSERT_EQ(messages.size(), expected["messages"].size());
  for (size_t i = 0; i < messages.size(); ++i) {
    EXPECT_EQ(messages[i].role, expected["messages"][i]["role"]);
    EXPECT_EQ(messages[i].channel, expected["messages"][i]["channel"]);
    EXPECT_EQ(messages[i].text, expected["messages"][i]["content"][0]["text"]);
  }
}

TEST_F(Harmony, StopTokens) {
  if (!tokenizer)
    GTEST_SKIP() << "the vocabulary was not unpacked: no xz at configuration";
  EXPECT_THAT(stopTokens(*tokenizer), testing::UnorderedElementsAreArray(vectors["stop_tokens"].get<Ids>()));
  EXPECT_THAT(stopTokensForAssistantActions(*tokenizer),
              testing::UnorderedElementsAreArray(vectors["stop_tokens_for_assistant_actions"].get<Ids>()));
}

/// Cases of our own, with the small vocabulary.
class HarmonyParse : public testing::Test {
protected:
  std::vector<Message> parsed(const std::string &text, const std::string &role = "assistant") {
    return parse(*tokenizer, tokenizer->encode(text), role);
  }
  std::string refusal(const std::string &text, const std::string &role = "assistant") {
    try {
      parsed(text, role);
    } catch (const std::runtime_error &error) {
      return error.what();
    }
    return "";
  }
  const std::shared_ptr<const Tokenizer> tokenizer = Tokenizer::load(MASKJIT_FIXTURES "/gpt-oss-tiny-bf16");
};

TEST_F(HarmonyParse, WhatWasRendered) {
  const std::vector<Message> messages{
      {"user", "ann", "", "", "", "Weather?"},
      {"assistant", "", "commentary", "functions.get_weather", "<|constrain|>json", "{\"city\": \"Oslo\"}"},
      {"tool", "functions.get_weather", "commentary", "assistant", "", "3"},
      {"assistant", "", "final", "", "", "3 degrees\n"}};
  const std::vector<Message> back = parse(*tokenizer, encode(*tokenizer, messages, {Purpose::Plain}), "");
  ASSERT_EQ(back.size(), messages.size());
  for (size_t i = 0; i < back.size(); ++i) {
    const auto fields = [](const Message &m) {
      return std::vector<std::string>{m.role, m.name, m.channel, m.recipient, m.contentType, m.text};
    };
    EXPECT_EQ(fields(back[i]), fields(messages[i])) << i;
  }
}

TEST_F(HarmonyParse, CutOffCompletions) {
  EXPECT_TRUE(parsed("").empty());
  EXPECT_TRUE(parsed("<|channel|>analy").empty());
  ASSERT_EQ(parsed("<|channel|>final<|message|>4").size(), 1u);
  EXPECT_EQ(parsed("<|channel|>final<|message|>4")[0].text, "4");
  EXPECT_EQ(parsed("<|channel|>analysis<|message|>x<|end|><|start|>assis").size(), 1u);
  EXPECT_EQ(parsed("<|message|>")[0].text, "");
}

TEST_F(HarmonyParse, RefusesWhatIsNoMessage) {
  EXPECT_THAT(refusal("<|channel|>final<|message|>4<|end|>5"), HasSubstr("must begin with <|start|>"));
  EXPECT_THAT(refusal("<|channel|><|message|>4"), HasSubstr("no channel"));
  EXPECT_THAT(refusal(" a b<|message|>4"), HasSubstr("has 'b' after its content type 'a'"));
  EXPECT_THAT(refusal("<|start|><|message|>4", ""), HasSubstr("no role"));
}

TEST(HarmonyTypes, SchemasAsTypes) {
  const auto type = [](const char *schema) { return typeOfSchema(Json::parse(schema)); };
  EXPECT_EQ(type(R"({"type": "integer"})"), "number");
  EXPECT_EQ(type(R"({"type": ["integer", "null"]})"), "number | null");
  EXPECT_EQ(type(R"({"type": "array", "items": {"type": "string"}})"), "string[]");
  EXPECT_EQ(type(R"({"type": "array"})"), "Array<any>");
  EXPECT_EQ(type("{}"), "any");
  EXPECT_EQ(type(R"({"type": "object", "properties": {"n": {"type": "number", "default": 3, "nullable": true},
                    "s": {"type": "string", "default": "x"}}, "required": ["s"]})"),
            "{\nn?: number | null, // default: 3\ns: string, // default: \"x\"\n}");
  EXPECT_THROW(type(R"({"oneOf": []})"), std::runtime_error);
}

TEST(HarmonyMessages, RefusesWhatIsNotSupported) {
  const auto refusal = [](const char *messages) -> std::string {
    try {
      messagesFromJson(Json::parse(messages));
    } catch (const std::runtime_error &error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal(R"([{"content": "x"}])"), HasSubstr("role"));
  EXPECT_THAT(refusal(R"([{"role": "user", "content": [{"type": "image"}]}])"), HasSubstr("a part of type 'image'"));
  EXPECT_THAT(refusal(R"([{"role": "user", "content": [{"type": "system_content"}]}])"), HasSubstr("of role 'user'"));
  EXPECT_THAT(refusal(R"([{"role": "system", "content": [{"type": "system_content", "tools": {"browser": {}}}]}])"),
              HasSubstr("browser"));
  EXPECT_THAT(refusal(R"([{"role": "user", "name": 3, "content": "x"}])"), HasSubstr("name is 3, expected a string"));
}

} // namespace
