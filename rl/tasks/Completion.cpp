// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Harmony messages and CommonMark fences, as far as finding an answer needs them.
#include "rl/tasks/Completion.h"
#include <algorithm>
#include <array>
#include <utility>

namespace maskjit::rl {

namespace {

constexpr std::string_view kStart = "<|start|>", kChannel = "<|channel|>", kMessage = "<|message|>";
constexpr std::array<std::string_view, 6> kMarkers = {kStart, kChannel, kMessage, "<|end|>", "<|return|>", "<|call|>"};
constexpr std::string_view kBlanks = " \t\r\n";

/// The first marker at or after `from`: its place and text; npos and "" if there is none.
std::pair<size_t, std::string_view> nextMarker(std::string_view text, size_t from) {
  std::pair<size_t, std::string_view> best{std::string_view::npos, ""};
  for (std::string_view marker : kMarkers)
    if (size_t at = text.find(marker, from); at < best.first)
      best = {at, marker};
  return best;
}

/// "final <|constrain|>json" -> "final"
std::string_view firstWord(std::string_view text) {
  size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos)
    return "";
  text.remove_prefix(begin);
  size_t end = std::min(text.find_first_of(kBlanks), text.find("<|"));
  return text.substr(0, end);
}

struct Fence {
  char mark;
  size_t length, indent;
  std::string_view info;
};

/// The fence that a line is, if it is one.
std::optional<Fence> fenceOf(std::string_view line) {
  size_t indent = line.find_first_not_of(' ');
  if (indent == std::string_view::npos || indent > 3 || (line[indent] != '`' && line[indent] != '~'))
    return std::nullopt;
  char mark = line[indent];
  size_t end = std::min(line.find_first_not_of(mark, indent), line.size());
  std::string_view info = line.substr(end);
  if (end - indent < 3 || (mark == '`' && info.find('`') != std::string_view::npos))
    return std::nullopt; // "```code```" on one line is inline code
  return Fence{mark, end - indent, indent, info};
}

} // namespace

std::optional<std::string_view> finalChannel(std::string_view completion) {
  auto [at, marker] = nextMarker(completion, 0);
  if (marker.empty())
    return completion;
  // A prompt that opened the final message itself leaves its body before the first marker.
  std::optional<std::string_view> body;
  if (marker != kStart && marker != kChannel && marker != kMessage)
    body = completion.substr(0, at);
  std::string_view role = "assistant", channel; // generation prompts end with "<|start|>assistant"
  while (!marker.empty()) {
    size_t begin = at + marker.size();
    auto [next, nextText] = nextMarker(completion, begin);
    std::string_view part = completion.substr(begin, std::min(next, completion.size()) - begin);
    if (marker == kStart) {
      role = firstWord(part);
      channel = "";
    } else if (marker == kChannel) {
      channel = firstWord(part);
    } else if (marker == kMessage && role == "assistant" && channel == "final") {
      body = part;
    }
    at = next;
    marker = nextText;
  }
  return body;
}

std::optional<CodeBlock> lastFencedBlock(std::string_view text) {
  std::optional<CodeBlock> last;
  std::optional<Fence> open;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin);
    std::string_view line = text.substr(begin, std::min(end, text.size()) - begin);
    begin = end == std::string_view::npos ? text.size() : end + 1;
    if (!line.empty() && line.back() == '\r')
      line.remove_suffix(1);
    std::optional<Fence> fence = fenceOf(line);
    if (!open) {
      if (fence) {
        open = fence;
        last = CodeBlock{std::string(firstWord(fence->info)), ""};
      }
    } else if (fence && fence->mark == open->mark && fence->length >= open->length &&
               fence->info.find_first_not_of(kBlanks) == std::string_view::npos) {
      open.reset();
    } else {
      line.remove_prefix(std::min({open->indent, line.find_first_not_of(' '), line.size()}));
      last->code.append(line).push_back('\n');
    }
  }
  return open ? std::nullopt : last;
}

std::optional<CodeBlock> answerCode(std::string_view completion) {
  std::optional<std::string_view> text = finalChannel(completion);
  return text ? lastFencedBlock(*text) : std::nullopt;
}

} // namespace maskjit::rl
