// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads tiktoken's text form, in which a token's rank is its id and two tokens merge if their join is a token.
#include "model/tokenizer/Vocabulary.h"
#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <stdexcept>

namespace maskjit {

namespace {
/// nullopt if `text` is not base64 with padding.
std::optional<std::string> decodeBase64(std::string_view text) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4)
    return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=')
    ++padding;
  std::string bytes;
  uint32_t bits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool padded = i >= text.size() - padding;
    const size_t digit = padded ? 0 : digits.find(text[i]);
    if (digit == digits.npos)
      return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    if (i % 4 == 3)
      bytes.append({static_cast<char>(bits >> 16), static_cast<char>(bits >> 8), static_cast<char>(bits)});
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}
} // namespace

Vocabulary Vocabulary::fromTiktoken(const std::string &file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream)
    throw std::runtime_error(fmt::format("{}: cannot open", file));
  Vocabulary vocabulary;
  vocabulary.ignoreMerges = true;
  std::vector<std::string> byRank;
  std::string line;
  while (std::getline(stream, line)) {
    const size_t space = line.find(' ');
    const auto bytes = space == line.npos ? std::nullopt : decodeBase64(std::string_view(line).substr(0, space));
    if (!bytes || bytes->empty() || line.substr(space + 1) != std::to_string(byRank.size()))
      throw std::runtime_error(fmt::format("{}:{}: expected base64 of a token, a space and the rank {}", file,
                                           byRank.size() + 1, byRank.size()));
    if (!vocabulary.tokens.emplace(*bytes, static_cast<int32_t>(byRank.size())).second)
      throw std::runtime_error(fmt::format("{}:{}: a token that occurred before", file, byRank.size() + 1));
    byRank.push_back(*bytes);
  }
  for (size_t rank = 0; rank < byRank.size(); ++rank) {
    const std::string &whole = byRank[rank];
    for (size_t cut = 1; cut < whole.size(); ++cut) {
      const auto left = vocabulary.tokens.find(whole.substr(0, cut));
      const auto right = left == vocabulary.tokens.end() ? left : vocabulary.tokens.find(whole.substr(cut));
      if (left != vocabulary.tokens.end() && right != vocabulary.tokens.end())
        vocabulary.merges.push_back({left->second, right->second, static_cast<int32_t>(rank)});
    }
  }
  return vocabulary;
}

} // namespace maskjit
