// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The plain chat template, written once to text and to ids.
#include "model/ChatTemplate.h"
#include "model/tokenizer/SpecialTokens.h"

namespace maskjit {

static void writeChat(const std::vector<ChatMessage> &messages, bool addGenerationPrompt, TokenSink &sink) {
  for (const ChatMessage &message : messages) {
    sink.special("<|start|>");
    sink.text(message.role);
    if (message.role == "assistant") {
      sink.special("<|channel|>");
      sink.text(message.channel.empty() ? "final" : message.channel);
    }
    sink.special("<|message|>");
    sink.text(message.content);
    sink.special("<|end|>");
  }
  if (addGenerationPrompt) {
    sink.special("<|start|>");
    sink.text("assistant");
  }
}

std::string renderChat(const std::vector<ChatMessage> &messages, bool addGenerationPrompt) {
  TextSink sink;
  writeChat(messages, addGenerationPrompt, sink);
  return sink.result;
}

std::vector<int64_t> encodeChat(const Tokenizer &tokenizer, const std::vector<ChatMessage> &messages,
                                bool addGenerationPrompt) {
  IdSink sink(tokenizer);
  writeChat(messages, addGenerationPrompt, sink);
  return sink.result;
}

} // namespace maskjit
