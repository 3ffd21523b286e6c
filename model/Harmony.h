// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Harmony, the format of gpt-oss's conversations, as OpenAI's openai-harmony 0.0.8 renders and parses it.
//
// Supported: system messages (identity, dates, effort, channels), developer messages (instructions, functions), text
// messages with channel, recipient and content type, dropped analysis of answered turns, parsing of completions.
// Refused by name: tools of the system message (browser, python), schemas with oneOf, anyOf, allOf or $ref.
#pragma once
#include "model/Tokenizer.h"
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace maskjit::harmony {

struct Message {
  std::string role;                            // "system", "developer", "user", "assistant", "tool"
  std::string name;                            // a tool's, as "functions.get_weather", or a speaker's; empty: none
  std::string channel, recipient, contentType; // empty: none
  std::string text;
};

/// Messages in openai-harmony's JSON (role, name, channel, recipient, content_type, content of typed parts); the parts
/// of system and developer messages become their text. Throws std::runtime_error naming what does not fit.
std::vector<Message> messagesFromJson(const nlohmann::ordered_json &messages);

/// The text of a system part: {"model_identity", "knowledge_cutoff", "conversation_start_date", "reasoning_effort",
/// "channel_config"}, each may be missing or null. `hasFunctions`: some developer message of the conversation has any.
std::string systemText(const nlohmann::ordered_json &content, bool hasFunctions);
/// The text of a developer part: {"instructions", "tools": {NAMESPACE: {name, description, tools: [function, ...]}}}.
std::string developerText(const nlohmann::ordered_json &content);
/// A JSON schema as the TypeScript type that the model was trained on.
std::string typeOfSchema(const nlohmann::ordered_json &schema, const std::string &indent = "");

enum class Purpose {
  Completion, // <|start|>assistant follows
  Training,   // a final answer at the end closes with <|return|>
  Plain
};
struct RenderOptions {
  Purpose purpose = Purpose::Completion;
  /// Keep the analysis before the first final answer; it is dropped if the last assistant message is a final answer.
  bool keepAnalysis = false;
};
std::string render(const std::vector<Message> &messages, const RenderOptions &options = {});
/// The ids of render's text, but special tokens inside a message's own strings stay text.
std::vector<int64_t> encode(const Tokenizer &tokenizer, const std::vector<Message> &messages,
                            const RenderOptions &options = {});

/// The messages of a completion that follows <|start|>`role`. A message cut off in its text counts, one cut off before
/// it does not. Throws std::runtime_error if a message starts without <|start|> or with a header that says too much.
std::vector<Message> parse(const Tokenizer &tokenizer, const std::vector<int64_t> &completion,
                           const std::string &role = "assistant");

/// <|return|>, <|end|>, <|call|>: where a message ends.
std::vector<int64_t> stopTokens(const Tokenizer &tokenizer);
/// <|return|>, <|call|>: where the assistant's turn ends.
std::vector<int64_t> stopTokensForAssistantActions(const Tokenizer &tokenizer);

} // namespace maskjit::harmony
