// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Keys and values of the tokens seen so far, in pages. Padding is never stored: a sequence's first token is key 0.
#pragma once
#include "model/Config.h"
#include <ATen/core/Tensor.h>
#include <vector>

namespace maskjit {

/// Per layer k, v [pages, Hkv, pageSize, D]; one page a sequence for the time being, read through the same table as
/// many.
struct KvCache {
  std::vector<at::Tensor> k, v;
  at::Tensor pageTable; // [B, pages a sequence] int32
  at::Tensor length;    // [B] int32: keys written
  int64_t capacity = 0; // tokens a sequence
  int64_t written = 0;  // the longest length, known on the host

  KvCache(const Config &config, int64_t batch, int64_t capacity, at::Device device, at::ScalarType dtype);
  int64_t batch() const { return pageTable.size(0); }
  int64_t pageSize() const { return k.front().size(2); }
  /// Drops all sequences but `rows` (ascending or not), which become 0, 1, ...; nothing is copied but the table.
  void keep(const std::vector<int64_t> &rows);
  /// Sequence i becomes a copy of sequence sources[i] of `other`, which shares this cache's pages (made by copying and
  /// keep): a prompt that many sequences continue is computed once.
  void copySequences(const KvCache &other, const std::vector<int64_t> &sources);
  /// Writes one layer's keys and values [N, Hkv, D] to `pages`, `slots` [N] (see locate).
  void write(int64_t layer, const at::Tensor &newK, const at::Tensor &newV, const at::Tensor &pages,
             const at::Tensor &slots);
  /// Where positions [N] of sequences [N] lie: page and slot in it.
  std::pair<at::Tensor, at::Tensor> locate(const at::Tensor &sequences, const at::Tensor &positions) const;
};

} // namespace maskjit
