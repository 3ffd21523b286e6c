// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chats as gpt-oss reads them: one message after the other between harmony's special tokens.
//
// Supported: what the plain chat template of the small checkpoints says (roles, channels, text). chat_template.jinja is
// not interpreted. System prompts, tools and the rules for earlier turns are in Harmony.h.
#pragma once
#include "model/Tokenizer.h"
#include <string>
#include <vector>

namespace maskjit {

struct ChatMessage {
  std::string role; // "system", "developer", "user", "assistant"
  std::string content;
  std::string channel; // of the assistant: "analysis", "commentary" or "final"; empty means "final"
};

/// <|start|>ROLE<|message|>CONTENT<|end|> for each message, with <|channel|>CHANNEL before <|message|> for the
/// assistant; then <|start|>assistant if `addGenerationPrompt`.
std::string renderChat(const std::vector<ChatMessage> &messages, bool addGenerationPrompt);

/// The ids of renderChat's text, but what looks like a special token inside a role, channel or content stays text: a
/// message cannot end itself and begin another.
std::vector<int64_t> encodeChat(const Tokenizer &tokenizer, const std::vector<ChatMessage> &messages,
                                bool addGenerationPrompt);

} // namespace maskjit
