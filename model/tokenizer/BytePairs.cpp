// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Merging with a heap of candidates over a linked list of symbols.
#include "model/tokenizer/BytePairs.h"
#include <algorithm>
#include <queue>

namespace maskjit {

namespace {
struct Symbol {
  int32_t token;
  int32_t previous, next; // -1 at the ends
};
struct Candidate {
  uint32_t rank;
  int32_t position; // of the left symbol
  int32_t left, right, result;
  // A priority queue gives the greatest first: the lowest rank, and of equal ones the leftmost.
  bool operator<(const Candidate &other) const {
    return rank != other.rank ? rank > other.rank : position > other.position;
  }
};
} // namespace

BytePairs::BytePairs(const std::array<int32_t, 256> &byteTokens, const std::vector<PairMerge> &merges)
    : byteTokens(byteTokens) {
  size_t size = 16;
  while (size < 2 * merges.size())
    size *= 2;
  slots.resize(size);
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const uint64_t pair = pairOf(merges[rank].left, merges[rank].right);
    slots[slotOf(pair)] = {pair, static_cast<uint32_t>(rank), merges[rank].result};
  }
}

size_t BytePairs::slotOf(uint64_t pair) const {
  // Fibonacci hashing; the high half of the product is the mixed one.
  size_t at = (pair * 0x9E3779B97F4A7C15u >> 32) & (slots.size() - 1);
  while (slots[at].pair != pair && slots[at].pair != kEmpty)
    at = (at + 1) & (slots.size() - 1);
  return at;
}

const BytePairs::Slot *BytePairs::find(int32_t left, int32_t right) const {
  const Slot &slot = slots[slotOf(pairOf(left, right))];
  return slot.pair == kEmpty ? nullptr : &slot;
}

void BytePairs::encode(std::string_view word, std::vector<int64_t> &tokens) const {
  const int32_t count = static_cast<int32_t>(word.size());
  std::vector<Symbol> symbols(count);
  for (int32_t i = 0; i < count; ++i)
    symbols[i] = {byteTokens[static_cast<unsigned char>(word[i])], i - 1, i + 1 < count ? i + 1 : -1};

  std::vector<Candidate> initial;
  const auto candidateAt = [&](int32_t position, auto &&push) {
    const int32_t next = symbols[position].next;
    if (next < 0)
      return;
    if (const Slot *slot = find(symbols[position].token, symbols[next].token))
      push(Candidate{slot->rank, position, symbols[position].token, symbols[next].token, slot->result});
  };
  for (int32_t i = 0; i < count; ++i)
    candidateAt(i, [&](const Candidate &c) { initial.push_back(c); });
  std::priority_queue<Candidate> queue({}, std::move(initial));

  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol &left = symbols[best.position];
    // Stale if one of the two has been merged meanwhile; a symbol that was merged away has token -1.
    if (left.token != best.left || left.next < 0 || symbols[left.next].token != best.right)
      continue;
    Symbol &right = symbols[left.next];
    left.token = best.result;
    left.next = right.next;
    right.token = -1;
    if (left.next >= 0)
      symbols[left.next].previous = best.position;
    const auto push = [&](const Candidate &c) { queue.push(c); };
    if (left.previous >= 0)
      candidateAt(left.previous, push);
    candidateAt(best.position, push);
  }
  for (int32_t i = count ? 0 : -1; i >= 0; i = symbols[i].next)
    tokens.push_back(symbols[i].token);
}

} // namespace maskjit
