// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What producer and consumers of Hopper's forward kernel agree on: shared memory, work items, key tiles of an item.
#pragma once
#include "attention/mask.cuh"
#include "attention_args.h"
#include "hopper.cuh"
#include "schedules.h"

namespace maskjit::device {

/// A row of a tile is (position, head): row r is position r / kPack of head r % kPack.
template <class Schedule, int kPack_> struct PackedSm90 : Schedule {
  static constexpr int kPack = kPack_, kPositions = Schedule::kRows / kPack; // of a warpgroup
  static constexpr int kTilePositions = Schedule::kConsumers * kPositions;
  static constexpr int kHalves = Schedule::kHeadDim / kRowElements;
  static constexpr int kRowsBytes = Schedule::kRows * Schedule::kHeadDim * 2; // one warpgroup's rows
  static constexpr int kQBytes = Schedule::kConsumers * kRowsBytes,
                       kKeyBytes = Schedule::kTileK * Schedule::kHeadDim * 2;
  static constexpr int kBarriers = 2 * Schedule::kQStages + 4 * Schedule::kStages;
  static_assert(Schedule::kRows % kPack == 0);
};

/// Shared memory, by address: Q stages | K ring | V ring | barriers | items. Buffers are multiples of 1024 bytes, as
/// the swizzle needs.
template <class S> struct SharedSm90 {
  u32 base;
  __device__ explicit SharedSm90(const void *raw) : base(shared_address(raw)) {}
  __device__ u32 q(int stage, int group) const { return base + stage * S::kQBytes + group * S::kRowsBytes; }
  __device__ u32 k(int stage) const { return base + S::kQStages * S::kQBytes + stage * S::kKeyBytes; }
  __device__ u32 v(int stage) const { return k(S::kStages + stage); }
  __device__ u32 bar(int i) const { return k(2 * S::kStages) + 8 * i; }
  __device__ u32 item(int stage) const { return bar(S::kBarriers) + 32 * stage; } // what Q's buffer holds
  __device__ u32 q_full(int stage) const { return bar(stage); }
  __device__ u32 q_empty(int stage) const { return bar(S::kQStages + stage); }
  __device__ u32 k_full(int stage) const { return bar(2 * S::kQStages + stage); }
  __device__ u32 k_empty(int stage) const { return bar(2 * S::kQStages + S::kStages + stage); }
  __device__ u32 v_full(int stage) const { return bar(2 * S::kQStages + 2 * S::kStages + stage); }
  __device__ u32 v_empty(int stage) const { return bar(2 * S::kQStages + 3 * S::kStages + stage); }
};

/// One tile of queries: kPack heads at kTilePositions positions.
struct Item {
  int position; // -1: no more items
  int batch, kv_head, head_in_group, head;

  __device__ void write(u32 to) const {
    shared_write_int(to, position), shared_write_int(to + 4, batch), shared_write_int(to + 8, kv_head);
    shared_write_int(to + 12, head_in_group), shared_write_int(to + 16, head);
  }
  __device__ static Item read(u32 from) {
    return {shared_read_int(from), shared_read_int(from + 4), shared_read_int(from + 8), shared_read_int(from + 12),
            shared_read_int(from + 16)};
  }
};

/// The items of a launch, dealt to the blocks in rounds that run back and forth: along a round items become shorter, so
/// that every block gets its share of long ones. No counter: launches may overlap and replay.
template <class S> struct Items {
  static constexpr int kL2Bytes = 24 << 20; // of keys and values at a time: half of the L2
  const AttentionArgs &args;
  int units_each, units, tiles, count, group_units; // a unit: kPack query heads of one key head of one sequence
  __device__ explicit Items(const AttentionArgs &a) : args(a) {
    units_each = a.heads_q / S::kPack;
    units = a.batch * units_each;
    tiles = (a.len_q + S::kTilePositions - 1) / S::kTilePositions;
    count = units * tiles;
    const float unit_bytes = 4.f * a.len_k * S::kHeadDim * a.heads_kv / units_each;
    group_units = min(max(static_cast<int>(kL2Bytes / unit_bytes), 1), units);
  }
  __device__ int index(int round) const {
    const int block = round % 2 ? gridDim.x - 1 - blockIdx.x : blockIdx.x;
    return round * gridDim.x + block;
  }
  /// Groups of units outermost, so that their K and V stay in the L2; in a group the last (longest causal) tiles first.
  __device__ Item at(int index) const {
    const int group = index / (group_units * tiles), first = group * group_units;
    const int size = min(group_units, units - first), rest = index - first * tiles;
    const int unit = first + rest % size, tile = tiles - 1 - rest / size;
    const int ratio = args.heads_q / args.heads_kv, batch = unit / units_each, head = unit % units_each * S::kPack;
    return {tile * S::kTilePositions, batch, head / ratio, head % ratio, head};
  }
};

/// The key tiles of an item, walked from the last to the first; producer and consumers call the same functions.
template <class S, class Mask> struct ItemKeys {
  const Mask &mask;
  Range q, keys;
  int len_k;
  __device__ ItemKeys(const Mask &mask, int position, const AttentionArgs &args)
      : mask(mask), q{position, min(position + S::kTilePositions, args.len_q)}, len_k(args.len_k) {
    keys = mask.keys(q).within(0, len_k);
  }
  __device__ Range rows(int group) const {
    const int begin = q.begin + group * S::kPositions;
    return {begin, begin + S::kPositions};
  }
  __device__ int begin(int j) const { return keys.begin + j * S::kTileK; } // not aligned: a window fits fewer tiles so
  __device__ Range tile(int j) const { return {begin(j), begin(j) + S::kTileK}; }
  __device__ int last() const { return next((max(keys.size(), 0) + S::kTileK - 1) / S::kTileK); } // -1: no keys
  __device__ int next(int j) const {
    --j;
    if constexpr (!Mask::kIntervals) // with one interval a row there is no hole to skip
      while (j >= 0 && mask.classify(q, tile(j)) == kEmpty)
        --j;
    return max(j, -1);
  }
  __device__ bool full(int group, int j) const {
    return tile(j).end <= len_k && mask.classify(rows(group), tile(j)) == kFull;
  }
  /// With one interval a row the full tiles follow each other: found once an item, not once a tile.
  __device__ Range full_tiles(int group) const {
    const Range all = mask.full_keys(rows(group)).within(keys.begin, len_k);
    return {(max(all.begin - keys.begin, 0) + S::kTileK - 1) / S::kTileK, max(all.end - keys.begin, 0) / S::kTileK};
  }
};

} // namespace maskjit::device
