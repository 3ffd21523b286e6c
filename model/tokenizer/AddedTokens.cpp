// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A byte trie over the added tokens; the longest of them bounds the work at each position.
#include "model/tokenizer/AddedTokens.h"

namespace maskjit {

namespace {
uint64_t edge(uint32_t node, char byte) { return uint64_t(node) << 8 | static_cast<unsigned char>(byte); }
} // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> list) : tokens(std::move(list)) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    uint32_t node = 0;
    for (char byte : tokens[i].content) {
      const auto [it, isNew] = edges.try_emplace(edge(node, byte), static_cast<uint32_t>(tokenAt.size()));
      if (isNew)
        tokenAt.push_back(-1);
      node = it->second;
    }
    if (!node)
      continue; // an empty token matches nothing
    tokenAt[node] = static_cast<int32_t>(i);
    starts[static_cast<unsigned char>(tokens[i].content[0])] = true;
  }
}

std::optional<AddedTokens::Match> AddedTokens::find(std::string_view text, size_t from,
                                                    const std::function<bool(const AddedToken &)> &accept) const {
  for (size_t begin = from; begin < text.size(); ++begin) {
    if (!starts[static_cast<unsigned char>(text[begin])])
      continue;
    std::optional<Match> longest;
    uint32_t node = 0;
    for (size_t at = begin; at < text.size(); ++at) {
      const auto it = edges.find(edge(node, text[at]));
      if (it == edges.end())
        break;
      node = it->second;
      if (tokenAt[node] >= 0 && accept(tokens[tokenAt[node]]))
        longest = Match{begin, at + 1, &tokens[tokenAt[node]]};
    }
    if (longest)
      return longest;
  }
  return std::nullopt;
}

} // namespace maskjit
