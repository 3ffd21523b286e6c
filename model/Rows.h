// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The real tokens of a batch as rows: layers compute [N, ...] without padding, attention sees [B, H, length, D] with
// every sequence's first real token at index 0, so that a row's result does not depend on where its padding was.
#pragma once
#include "model/GptOss.h"

namespace maskjit {

/// Which row stands where. Built on the host; `batch` is checked against `config` with messages.
class Rows {
public:
  /// `cache`: null, or what the batch's tokens are appended to.
  Rows(const Batch &batch, const Config &config, at::Device device, const KvCache *cache);

  int64_t count() const { return n; }         // N
  int64_t alignedLength() const { return L; } // of the longest sequence

  at::Tensor ids;       // [N] int64
  at::Tensor positions; // [N] int64, for rope
  at::Tensor lengths;   // [B] int32: real tokens
  at::Tensor documents; // [B, length] int32, or undefined
  at::Tensor sequences; // [N] int64: the sequence of each row; only with a cache
  at::Tensor places;    // [N] int64: index of each row in its sequence, keys in the cache counted; only with a cache
  at::Tensor cached;    // [B] int32: keys in the cache before these; only with a cache
  std::vector<int64_t> added; // [B] real tokens, as the host knows them
  int64_t mostCached = 0;     // the largest of `cached`, as the host knows it

  /// Rows of the cache's `x` [slots, ...] that belong to the batch's rows.
  at::Tensor ofSlots(const at::Tensor &x) const { return slotIndex.defined() ? x.index_select(0, slotIndex) : x; }
  /// Writes `values` [B, ...] to these rows of x.
  void toSlots(at::Tensor &x, const at::Tensor &values) const;

  /// [B, T, ...] -> [N, ...]: drops the padding.
  at::Tensor pack(const at::Tensor &x) const;
  /// [N, ...] -> [B, T, ...]: zeros where padding is.
  at::Tensor unpack(const at::Tensor &rows) const;
  /// [N, H, D] -> [B, H, length, D], for attention. What stands past a sequence's end is some row's value.
  at::Tensor align(const at::Tensor &rows) const;
  /// [B, H, length, D] -> [N, H * D].
  at::Tensor flatten(const at::Tensor &x) const;

private:
  int64_t B = 0, T = 0, L = 0, n = 0;
  at::Tensor callerSlots;  // [N]: place of each row in [B * T]; undefined: there is no padding
  at::Tensor alignedSlots; // [N]: place of each row in [B * length]
  at::Tensor slotIndex;    // [B]: the batch's slots of the cache; undefined: all of them in order
  at::Tensor slotRows;     // [B * length]: row of each place; row 0 past a sequence's end
};

/// y[i] = x[order[i] / copies]: rows in another order, each `copies` times. `inverse` is the inverse permutation of
/// `order`, by which the gradient comes back without atomics.
at::Tensor permuteRows(const at::Tensor &x, const at::Tensor &order, const at::Tensor &inverse, int64_t copies);

} // namespace maskjit
