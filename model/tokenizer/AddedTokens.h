// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tokens that are recognised in the text before it is split into words: the special ones, and others that were added.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace maskjit {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;
  bool normalized = false; // looked for after the others, in what they leave
};

class AddedTokens {
public:
  AddedTokens() = default;
  explicit AddedTokens(std::vector<AddedToken> tokens);

  struct Match {
    size_t begin = 0, end = 0;
    const AddedToken *token = nullptr;
  };
  /// The leftmost accepted token at or after `from`, and of those that start there the longest.
  std::optional<Match> find(std::string_view text, size_t from,
                            const std::function<bool(const AddedToken &)> &accept) const;
  const std::vector<AddedToken> &all() const { return tokens; }

private:
  std::vector<AddedToken> tokens;
  // A trie: (node, byte) -> node, and the token that ends at a node.
  std::unordered_map<uint64_t, uint32_t> edges;
  std::vector<int32_t> tokenAt{-1};
  bool starts[256] = {};
};

} // namespace maskjit
