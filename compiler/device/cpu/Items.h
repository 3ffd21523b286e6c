// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The rows of an item, what the mask says of them, and the scores of one row.
#pragma once
#include "compiler/device/cpu/Tiles.h"

namespace maskjit::cpu {

/// Cuts the calling thread's scratch memory into arrays.
struct Scratch {
  char *next;
  template <class T> MASKJIT_INLINE T *take(int64_t count) {
    T *array = reinterpret_cast<T *>(next);
    next += count * sizeof(T);
    return array;
  }
};

/// Queries [query0, query0 + queries) of `heads` heads that share a key head. Row r is query r % queries of head
/// r / queries: with few queries the rows of several heads fill a tile together.
struct Item {
  int64_t b, kvHead, head0, heads, query0, queries;

  MASKJIT_INLINE int64_t rows() const { return heads * queries; }
  MASKJIT_INLINE int64_t head(int64_t row) const { return head0 + row / queries; }
  MASKJIT_INLINE int64_t query(int64_t row) const { return query0 + row % queries; }
  /// Of lse and delta.
  MASKJIT_INLINE int64_t rowIndex(const Attention &args, int64_t row) const {
    return (b * args.headsQ + head(row)) * args.lenQ + query(row);
  }
};

MASKJIT_INLINE Item itemAt(const Attention &args, int64_t index) {
  int64_t tiles = queryTiles(args), chunks = headChunks(args), group = args.headsQ / args.headsKv;
  Item item;
  int64_t tile = tiles - 1 - index % tiles; // under a causal mask the last rows take longest: they start first
  index /= tiles;
  int64_t chunk = index % chunks;
  index /= chunks;
  item.kvHead = index % args.headsKv;
  item.b = index / args.headsKv;
  item.head0 = item.kvHead * group + chunk * args.headsPerItem;
  item.heads = min(args.headsPerItem, (item.kvHead + 1) * group - item.head0);
  item.query0 = tile * args.queriesPerItem;
  item.queries = min(args.queriesPerItem, args.lenQ - item.query0);
  return item;
}

/// Half-open, of positions.
struct Interval {
  int32_t begin, end;
};
MASKJIT_INLINE Interval clip(Range range, int64_t low, int64_t high) {
  int64_t begin = max(range.begin, low), end = min(range.end, high);
  return {int32_t(begin), int32_t(max(begin, end))};
}

/// The keys below `count` that any row of the item may attend.
MASKJIT_INLINE Interval keysOf(const Attention &args, const Item &item, int64_t count) {
  int64_t begin = count, end = 0;
  for (int64_t h = 0; h < (mask_uses_head() ? item.heads : 1); ++h) {
    Range keys = mask_keys(args.params, item.b, item.head0 + h, item.query0, item.query0 + item.queries);
    if (keys.begin < keys.end) {
      begin = min(begin, keys.begin);
      end = max(end, keys.end);
    }
  }
  return clip({begin, end}, 0, count);
}

/// Of rows [r0, r1) and keys [low, high).
MASKJIT_INLINE int32_t classifyRows(const Attention &args, const Item &item, int64_t r0, int64_t r1, int64_t low,
                                    int64_t high) {
  int32_t any = 0, all = kAll;
  for (int64_t r = r0; r < r1;) { // head by head
    int64_t next = min(r1, (r / item.queries + 1) * item.queries);
    bool several = next < r1 && !mask_uses_head(); // one answer for all heads
    int64_t q0 = several ? item.query0 : item.query(r);
    int64_t q1 = several ? item.query0 + item.queries : item.query(next - 1) + 1;
    int32_t tile = mask_classify(args.params, item.b, item.head(r), q0, q1, low, high);
    any |= tile & kAny;
    all &= tile;
    if (several)
      break;
    r = next;
  }
  return any ? any | all : 0;
}

/// One row against the key tile at k0, of which [low, high) exist.
struct RowOfTile {
  int64_t b, h, q, k0, low, high;
  Interval row; // the keys the row attends, where the mask has row(); clipped to those that exist
  bool test;    // false: every key of the tile is attended
};

/// The row's scores: products, scaled, through the score clause, and -inf where the mask says no. `plain` keeps them
/// as they went into the clause. The loops over lanes are vectorised after the mask is inlined.
MASKJIT_INLINE void scoresOf(const Attention &args, const RowOfTile &at, const float *products, float *scores,
                             float *plain) {
  float values[kKeyTile]; // a local array: the mask's parameters cannot lie in it
  for (int i = 0; i < kKeyTile; ++i)
    values[i] = products[i] * args.scale;
  if (mask_has_score()) {
    if (plain)
      for (int i = 0; i < kKeyTile; ++i)
        plain[i] = values[i];
    for (int i = 0; i < kKeyTile; ++i)
      values[i] = mask_score(args.params, values[i], at.b, at.h, at.q, int32_t(at.k0) + i);
  }
  if (at.test) {
    if (mask_has_row()) {
      int32_t begin = at.row.begin - int32_t(at.k0), end = at.row.end - int32_t(at.k0);
      for (int i = 0; i < kKeyTile; ++i)
        values[i] = ((i >= begin) & (i < end)) ? values[i] : -kInfinity;
    } else {
      int32_t begin = at.low - at.k0, end = at.high - at.k0;
      for (int i = 0; i < kKeyTile; ++i) {
        bool attends = mask_attends(args.params, at.b, at.h, at.q, int32_t(at.k0) + i);
        values[i] = (attends & (i >= begin) & (i < end)) ? values[i] : -kInfinity;
      }
    }
  }
  __builtin_memcpy(scores, values, sizeof values);
}

} // namespace maskjit::cpu
