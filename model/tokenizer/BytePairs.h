// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Byte-pair merging: a word's bytes become tokens by its applicable merge of lowest rank, again and again.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace maskjit {

/// The merge of two adjacent tokens. Its rank is its place in the list.
struct PairMerge {
  int32_t left = 0, right = 0, result = 0;
};

class BytePairs {
public:
  BytePairs() = default;
  /// `byteTokens`: the token of each byte. Of two merges with the same pair the later counts.
  BytePairs(const std::array<int32_t, 256> &byteTokens, const std::vector<PairMerge> &merges);

  /// Appends the word's tokens. n log n in its length.
  void encode(std::string_view word, std::vector<int64_t> &tokens) const;

private:
  struct Slot {
    uint64_t pair = kEmpty;
    uint32_t rank = 0;
    int32_t result = 0;
  };
  static constexpr uint64_t kEmpty = ~uint64_t(0);
  static uint64_t pairOf(int32_t left, int32_t right) { return uint64_t(uint32_t(left)) << 32 | uint32_t(right); }
  size_t slotOf(uint64_t pair) const;
  const Slot *find(int32_t left, int32_t right) const; // null if the two do not merge

  std::array<int32_t, 256> byteTokens{};
  std::vector<Slot> slots; // open addressing, at most half full, a power of two long
};

} // namespace maskjit
