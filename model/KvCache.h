// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Keys and values of the tokens seen so far, in pages. Padding is never stored: a sequence's first token is key 0.
//
// Full layers keep every token: a sequence's page table names one page for each pageSize() tokens, and sequences that
// continue the same prompt name the same pages. Sliding layers keep the window: entry i of a table names page i mod n
// of a ring of n pages, so that kernels read both alike. All full layers use one table, all sliding layers another.
#pragma once
#include "model/Config.h"
#include "model/PagePool.h"
#include <ATen/core/Tensor.h>
#include <vector>

namespace maskjit {

struct KvCacheSizes {
  int64_t slots = 1;         // sequences at once
  int64_t capacity = 0;      // tokens of one sequence at most
  int64_t fullTokens = 0;    // tokens that full layers have pages for; 0: capacity for each slot
  int64_t slidingTokens = 0; // the same of sliding layers; 0: a window for each slot
  int64_t pageSize = 64;     // a power of two
};

/// What a prompt left in the cache, for sequences that continue it (see KvCache::prefix).
struct KvPrefix {
  int64_t length = 0;
  std::vector<int32_t> full, sliding; // pages; the last of `full` may be filled in part
};

class KvCache {
public:
  /// All slots are empty.
  KvCache(const Config &config, const KvCacheSizes &sizes, at::Device device, at::ScalarType dtype);
  /// `batch` slots, each open for `capacity` tokens, which may come all at once.
  KvCache(const Config &config, int64_t batch, int64_t capacity, at::Device device, at::ScalarType dtype);
  KvCache(const KvCache &) = delete;

  std::vector<at::Tensor> k, v; // a layer, [pages, Hkv, pageSize, D]
  at::Tensor length;            // [slots] int32: keys written
  /// [slots, pages of `capacity` tokens] int32, rows of empty slots 0. Changed in place, never moved.
  const at::Tensor &pageTable(int64_t layer) const { return (sliding[layer] ? ring : full).table; }

  int64_t slots() const { return slotStates.size(); }
  int64_t pageSize() const { return size; }

  /// Whether there are pages for a sequence of up to `tokens` that is written `atOnce` tokens at a time.
  bool canOpen(int64_t tokens, int64_t atOnce) const;
  bool canOpen(const KvPrefix &prefix, int64_t tokens) const;
  /// Gives an empty slot its pages.
  void open(int64_t slot, int64_t tokens, int64_t atOnce = 1);
  /// The same for a sequence that starts as a copy of `prefix`, whose whole pages it reads where they are.
  void open(int64_t slot, const KvPrefix &prefix, int64_t tokens);
  /// Frees the pages that nobody else reads.
  void close(int64_t slot);
  /// What the slot holds now, kept until `release` whatever becomes of the slot.
  KvPrefix prefix(int64_t slot);
  void release(const KvPrefix &prefix);

  /// The pages of full layers that the slot has, in the order of its tokens; none of an empty slot.
  const std::vector<int32_t> &pages(int64_t slot) const { return full.pages[slot]; }
  int64_t held(int64_t slot) const { return slotStates[slot].length; } // keys written, as the host counts
  int64_t room(int64_t slot) const { return slotStates[slot].tokens; } // 0: the slot is empty
  int64_t atOnce(int64_t slot) const { return slotStates[slot].atOnce; }
  /// Counts `tokens` that were written; `length` is the writer's to change.
  void advance(int64_t slot, int64_t tokens) { slotStates[slot].length += tokens; }

  /// Where positions [N] of the rows `sequences` [N] of a table lie: pages and slots in them.
  std::pair<at::Tensor, at::Tensor> locate(const at::Tensor &table, const at::Tensor &sequences,
                                           const at::Tensor &positions) const;
  /// Writes one layer's keys and values [N, Hkv, D] there.
  void write(int64_t layer, const at::Tensor &newK, const at::Tensor &newV,
             const std::pair<at::Tensor, at::Tensor> &places);

private:
  /// The layers of one kind.
  struct Kind {
    at::Tensor k, v; // [layers, pages, Hkv, pageSize, D]
    at::Tensor table;
    PagePool pool{0};
    std::vector<std::vector<int32_t>> pages; // of each slot
  };
  struct SlotState {
    int64_t tokens = 0, atOnce = 0, length = 0;
  };

  int64_t pagesFor(int64_t tokens) const { return (tokens + size - 1) / size; }
  int64_t ringPages(int64_t tokens, int64_t atOnce) const;
  void makeKind(Kind &kind, int64_t layers, int64_t pages, const Config &config, const at::TensorOptions &options);
  void place(Kind &kind, int64_t slot, std::vector<int32_t> pages);
  void start(int64_t slot, int64_t tokens, int64_t atOnce, int64_t length);
  /// Copies the tokens at positions [begin, end) of one list of pages, repeated as a ring, to another.
  void copyTokens(Kind &kind, const std::vector<int32_t> &from, const std::vector<int32_t> &to, int64_t begin,
                  int64_t end);

  int64_t size, window, width;
  std::vector<bool> sliding; // a layer
  Kind full, ring;
  std::vector<SlotState> slotStates;
};

} // namespace maskjit
