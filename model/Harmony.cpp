// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Conversations to text and ids, and completions back to messages.
#include "model/Harmony.h"
#include "model/tokenizer/SpecialTokens.h"
#include <algorithm>
#include <fmt/format.h>
#include <sstream>
#include <stdexcept>

namespace maskjit::harmony {

namespace {
const std::string kConstrain = "<|constrain|>", kChannel = "<|channel|>";

void writeMessage(const Message &message, const char *end, TokenSink &sink) {
  sink.special("<|start|>");
  if (message.role == "tool") {
    if (message.name.empty())
      throw std::runtime_error("a message of role tool needs the tool's name");
    sink.text(message.name);
  } else {
    sink.text(message.role);
    if (!message.name.empty())
      sink.text(":" + message.name);
  }
  if (!message.recipient.empty() && message.recipient != "all")
    sink.text(" to=" + message.recipient);
  if (!message.channel.empty()) {
    sink.special(kChannel);
    sink.text(message.channel);
  }
  if (message.contentType.rfind(kConstrain, 0) == 0) {
    sink.text(" ");
    sink.special(kConstrain);
    sink.text(message.contentType.substr(kConstrain.size()));
  } else if (!message.contentType.empty())
    sink.text(" " + message.contentType);
  sink.special("<|message|>");
  sink.text(message.text);
  sink.special(end);
}

void write(const std::vector<Message> &messages, const RenderOptions &options, TokenSink &sink) {
  const auto isFinal = [](const Message &m) { return m.channel == "final"; };
  const auto lastAssistant =
      std::find_if(messages.rbegin(), messages.rend(), [](const Message &m) { return m.role == "assistant"; });
  const bool answered = lastAssistant != messages.rend() && isFinal(*lastAssistant);
  const auto firstFinal = std::find_if(messages.begin(), messages.end(), isFinal);
  for (auto message = messages.begin(); message != messages.end(); ++message) {
    if (!options.keepAnalysis && answered && message < firstFinal && message->channel == "analysis")
      continue;
    const bool isAssistant = message->role == "assistant";
    const bool isLast = message + 1 == messages.end();
    const bool returns = options.purpose == Purpose::Training && isLast && isAssistant && isFinal(*message);
    const char *end = returns ? "<|return|>" : isAssistant && !message->recipient.empty() ? "<|call|>" : "<|end|>";
    writeMessage(*message, end, sink);
  }
  if (options.purpose == Purpose::Completion) {
    sink.special("<|start|>");
    sink.text("assistant");
  }
}

/// `role`: the header's, if it is known already; else its first word.
Message parseHeader(std::string header, const std::string &role) {
  Message message;
  message.role = role;
  if (const size_t at = header.find(kChannel); at != header.npos) {
    const size_t begin = at + kChannel.size(), end = std::min(header.find_first_of(" <", begin), header.size());
    message.channel = header.substr(begin, end - begin);
    if (message.channel.empty())
      throw std::runtime_error(fmt::format("the header '{}' has {} and no channel", header, kChannel));
    header.erase(at, end - at);
  }
  if (const size_t at = header.find(kConstrain); at != header.npos)
    header.insert(at, " "); // it may follow the word before it at once
  std::istringstream words(header);
  for (std::string word; words >> word;) {
    if (message.role.empty()) {
      const std::string speaker = word.substr(0, word.find(':'));
      const bool known = speaker == "system" || speaker == "developer" || speaker == "user" || speaker == "assistant";
      message.role = known ? speaker : "tool";
      message.name = !known ? word : word.size() > speaker.size() ? word.substr(speaker.size() + 1) : "";
    } else if (word.rfind("to=", 0) == 0 && message.recipient.empty())
      message.recipient = word.substr(3);
    else if (message.contentType.empty())
      message.contentType = word;
    else
      throw std::runtime_error(
          fmt::format("the header has '{}' after its content type '{}'", word, message.contentType));
  }
  if (message.role.empty())
    throw std::runtime_error("a message's header has no role");
  return message;
}

std::vector<int64_t> idsOf(const Tokenizer &tokenizer, const std::vector<std::string> &specials) {
  IdSink sink(tokenizer);
  for (const std::string &special : specials)
    sink.special(special);
  return sink.result;
}
} // namespace

std::string render(const std::vector<Message> &messages, const RenderOptions &options) {
  TextSink sink;
  write(messages, options, sink);
  return sink.result;
}

std::vector<int64_t> encode(const Tokenizer &tokenizer, const std::vector<Message> &messages,
                            const RenderOptions &options) {
  IdSink sink(tokenizer);
  write(messages, options, sink);
  return sink.result;
}

std::vector<Message> parse(const Tokenizer &tokenizer, const std::vector<int64_t> &completion,
                           const std::string &role) {
  const std::vector<int64_t> stops = stopTokens(tokenizer);
  const auto isStop = [&](int64_t id) { return std::find(stops.begin(), stops.end(), id) != stops.end(); };
  const int64_t start = tokenizer.tokenId("<|start|>"), text = tokenizer.tokenId("<|message|>");
  std::vector<Message> messages;
  std::string knownRole = role;
  auto at = completion.begin();
  while (at != completion.end()) {
    if (knownRole.empty() && *at++ != start)
      throw std::runtime_error(fmt::format("token {} where a message must begin with <|start|>", *(at - 1)));
    const auto textBegin = std::find(at, completion.end(), text);
    if (textBegin == completion.end())
      break;
    messages.push_back(parseHeader(tokenizer.decode({at, textBegin}), knownRole));
    knownRole.clear();
    const auto end = std::find_if(textBegin, completion.end(), isStop);
    messages.back().text = replaceInvalidUtf8(tokenizer.decode({textBegin + 1, end}));
    at = end == completion.end() ? end : end + 1;
  }
  return messages;
}

std::vector<int64_t> stopTokens(const Tokenizer &tokenizer) {
  return idsOf(tokenizer, {"<|return|>", "<|end|>", "<|call|>"});
}

std::vector<int64_t> stopTokensForAssistantActions(const Tokenizer &tokenizer) {
  return idsOf(tokenizer, {"<|return|>", "<|call|>"});
}

} // namespace maskjit::harmony
