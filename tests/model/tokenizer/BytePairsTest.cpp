// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The heap against the rule itself: look for the lowest rank, merge it, look again.
#include "model/tokenizer/BytePairs.h"
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <string>

using namespace maskjit;

namespace {

std::array<int32_t, 256> identity() {
  std::array<int32_t, 256> tokens;
  for (int i = 0; i < 256; ++i)
    tokens[i] = i;
  return tokens;
}

std::vector<int64_t> byTheRule(const std::string &word, const std::vector<PairMerge> &merges) {
  std::map<std::pair<int64_t, int64_t>, std::pair<size_t, int64_t>> ranks;
  for (size_t rank = 0; rank < merges.size(); ++rank)
    ranks[{merges[rank].left, merges[rank].right}] = {rank, merges[rank].result};
  std::vector<int64_t> tokens;
  for (unsigned char c : word)
    tokens.push_back(c);
  for (;;) {
    size_t best = SIZE_MAX, at = 0;
    for (size_t i = 0; i + 1 < tokens.size(); ++i)
      if (auto it = ranks.find({tokens[i], tokens[i + 1]}); it != ranks.end() && it->second.first < best) {
        best = it->second.first;
        at = i;
      }
    if (best == SIZE_MAX)
      return tokens;
    tokens[at] = ranks[{tokens[at], tokens[at + 1]}].second;
    tokens.erase(tokens.begin() + at + 1);
  }
}

TEST(BytePairs, OverlappingMergesGoFromTheLeft) {
  const BytePairs pairs(identity(), {{'a', 'a', 256}, {256, 256, 257}});
  std::vector<int64_t> tokens;
  pairs.encode("aaaaaaa", tokens);
  EXPECT_EQ(tokens, (std::vector<int64_t>{257, 256, 'a'}));
}

TEST(BytePairs, EmptyWordAndNoMerges) {
  std::vector<int64_t> tokens;
  BytePairs(identity(), {}).encode("", tokens);
  EXPECT_TRUE(tokens.empty());
  BytePairs(identity(), {}).encode("ab", tokens);
  EXPECT_EQ(tokens, (std::vector<int64_t>{'a', 'b'}));
}

TEST(BytePairs, RandomMergesFollowTheRule) {
  constexpr uint32_t kSeed = 11;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 300; ++round) {
    std::vector<PairMerge> merges;
    const auto token = [&] { // a letter, or the result of an earlier merge
      const size_t pick = random() % (4 + merges.size());
      return pick < 4 ? static_cast<int32_t>('a' + pick) : merges[pick - 4].result;
    };
    for (int i = 0; i < 30; ++i)
      merges.push_back({token(), token(), 256 + i});
    const BytePairs pairs(identity(), merges);
    for (int w = 0; w < 20; ++w) {
      std::string word;
      for (int n = random() % 40; n > 0; --n)
        word += static_cast<char>('a' + random() % 4);
      std::vector<int64_t> tokens;
      pairs.encode(word, tokens);
      ASSERT_EQ(tokens, byTheRule(word, merges)) << "seed " << kSeed << ", round " << round << ", word " << word;
    }
  }
}

} // namespace
