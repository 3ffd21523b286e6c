// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// MXFP4 experts for 1-8 tokens on Hopper, one launch for both products.
//
// Flow: x -> gate_up, SwiGLU -> h -> (grid barrier) -> down, weighted sum -> out. One block a multiprocessor, all
// resident (cooperative launch). A producer warp streams weights into a ring of slots with bulk copies: 16 rows of
// blocks are contiguous, their scales as well. It knows no barrier between the phases, so memory stays busy while the
// blocks wait for each other. Groups of eight consumer warps take slots in turn and share each by K: a warp owns the
// same columns of every row, so its activations stay in registers for all tiles. Product: m16n8k16, A = 16 weight rows
// decoded in registers, B = up to 8 tokens (columns past the last token repeat it and nobody reads them).
//   gate_up: rows g and g + 8 of A are gate and up of one feature. One barrier for a few tiles adds their
//   eight shares of K, so that warps need not keep step.
//   down: rows g are 8 rows of one expert, rows g + 8 the same rows of another; a block owns its rows for ALL experts,
//   so the weighted sum stays inside the block.
// An adapter's first factors are multiplied by warps of all blocks before their first tile of each product; the warps
// that share a tile take turns in adding a slice of the second factors, once the first ones' results are there.
// Every sum has a fixed order and there are no atomics on data: results repeat bit for bit.
#pragma once
#include "experts/rows_adapter.cuh"
#include "experts/rows_routing.cuh"
#include "experts_args.h"
#include "experts_schedules.h"
#include "fourbit.cuh"
#include "hopper.cuh"

namespace maskjit::device {

__device__ inline u32 shared_read_u8(u32 address) {
  u16 value;
  asm volatile("ld.shared.u8 %0, [%1];" : "=h"(value) : "r"(address));
  return value;
}
/// What other multiprocessors wrote before the grid barrier, whose acquire leaves nothing old in L1.
__device__ inline uint4 load_written(const void *p) {
  uint4 v;
  asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p)
               : "memory");
  return v;
}

/// The columns of one product, dealt out to the warps of a group in blocks of 32: lane 4g + t takes whole blocks.
template <int kColumns> struct RowShares {
  static constexpr int kBlocks = kColumns / 32, kRowBytes = kBlocks * 16, kTileBytes = kRowsTile * kRowBytes;
  static constexpr int kTileScales = kRowsTile * kBlocks, kChunks = ceil_div(kBlocks, 4 * kRowsWarps);

  int block[kChunks];
  bool inside[kChunks]; // a block past the end reads block 0 against zero activations
  __device__ RowShares(int member, int t) {
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      const int b = (member * kChunks + i) * 4 + t;
      inside[i] = b < kBlocks;
      block[i] = inside[i] ? b : 0;
    }
  }

  /// B of this warp's share: one token a column.
  struct Activations {
    uint4 word[kChunks][4];
  };

  /// Where a lane reads a slot: its blocks of two rows.
  struct View {
    u32 low[kChunks], low_scale[kChunks]; // byte offsets in the slot
    u32 high, high_scale;                 // distance to the second row
    __device__ View(const RowShares &share, int row_low, int row_high) {
#pragma unroll
      for (int i = 0; i < kChunks; ++i) {
        low[i] = row_low * kRowBytes + share.block[i] * 16;
        low_scale[i] = kTileBytes + row_low * kBlocks + share.block[i];
      }
      high = (row_high - row_low) * kRowBytes;
      high_scale = (row_high - row_low) * kBlocks;
    }
  };

  /// a += rows . x for this warp's share; with kTwo also b += rows . y on the same decoded weights.
  template <bool kTwo>
  __device__ static void multiply(float (&a)[4], float (&b)[4], u32 slot, const View &v, const Activations &x,
                                  const Activations &y) {
    float a2[4] = {}, b2[4] = {}; // a second chain each: a product waits some 30 cycles for the one before it
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      const uint4 low = shared_read(slot + v.low[i]), high = shared_read(slot + v.low[i] + v.high);
      const u32 low_factor = mxfp4_factor<bf16>(shared_read_u8(slot + v.low_scale[i]));
      const u32 high_factor = mxfp4_factor<bf16>(shared_read_u8(slot + v.low_scale[i] + v.high_scale));
      const u32 lows[4] = {low.x, low.y, low.z, low.w}, highs[4] = {high.x, high.y, high.z, high.w};
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const Pairs p = mxfp4_decode<bf16>(lows[c], low_factor), q = mxfp4_decode<bf16>(highs[c], high_factor);
        const u32 first[4] = {p.p[0], q.p[0], p.p[1], q.p[1]}, second[4] = {p.p[2], q.p[2], p.p[3], q.p[3]};
        mma<Sm80, bf16>(a, first, x.word[i][c].x, x.word[i][c].y);
        mma<Sm80, bf16>(a2, second, x.word[i][c].z, x.word[i][c].w);
        if constexpr (kTwo) {
          mma<Sm80, bf16>(b, first, y.word[i][c].x, y.word[i][c].y);
          mma<Sm80, bf16>(b2, second, y.word[i][c].z, y.word[i][c].w);
        }
      }
    }
#pragma unroll
    for (int k = 0; k < 4; ++k)
      a[k] += a2[k], b[k] += b2[k];
  }
};

template <class S> struct SlotRing {
  u32 slots, full, empty; // shared addresses: the slots, and a barrier of each kind a slot
  RingIndex<S::kSlots> at;
  __device__ SlotRing(u32 slots, u32 barriers) : slots(slots), full(barriers), empty(barriers + 8 * S::kSlots) {}
  __device__ u32 address() const { return slots + at.stage * S::kSlotBytes; }
  __device__ u32 full_barrier() const { return full + 8 * at.stage; }
  __device__ u32 empty_barrier() const { return empty + 8 * at.stage; }
};

/// Pairs of experts whose units of the second product take turns from expert `u` on: one a group of warps, which then
/// has no other's activations to load.
template <class S> __device__ int pairs_together(int u, int count) { return S::kGroups == 2 && u + 2 < count ? 2 : 1; }

/// The producer warp: the tiles of the first product, then the units of the second, in the order of the consumers.
template <class S, bool kAdapter>
__device__ void produce_experts(const ExpertsArgs &a, const RoutedExperts<S> &experts, SlotRing<S> ring, int lane) {
  using Shape = typename S::Shape;
  using First = RowShares<Shape::kHidden>;
  using Second = RowShares<Shape::kIntermediate>;
  constexpr int kTiles = 2 * Shape::kIntermediate / kRowsTile, kUnits = Shape::kHidden / 8;
  const int count = experts.count();
  auto acquire = [&](u32 bytes) { // one lane copies, all walk along for the shuffles
    if (lane == 0) {
      barrier_wait(ring.empty_barrier(), ring.at.parity ^ 1);
      barrier_expect(ring.full_barrier(), bytes);
    }
  };
  for (int i = blockIdx.x; i < count * kTiles; i += gridDim.x) {
    const long long row =
        static_cast<long long>(experts.nth(i / kTiles)) * 2 * Shape::kIntermediate + i % kTiles * kRowsTile;
    acquire(First::kTileBytes + First::kTileScales);
    if (lane == 0) {
      bulk_copy(ring.address(), a.gate_up.blocks + row * First::kRowBytes, First::kTileBytes, ring.full_barrier());
      bulk_copy(ring.address() + First::kTileBytes, a.gate_up.scales + row * First::kBlocks, First::kTileScales,
                ring.full_barrier());
      if (kAdapter && a.gate_up_adapter.a)
        fetch_factor_rows(a.gate_up_adapter, a.adapter_rank, row, kRowsTile);
    }
    ring.at.advance();
  }
  for (int u = 0, pairs; u < count; u += 2 * pairs) {
    pairs = pairs_together<S>(u, count);
    int expert[2]; // of this lane: of each pair the first or, lane 1, the second; an odd last one is read twice
#pragma unroll
    for (int p = 0; p < 2; ++p) {
      const int first = experts.nth(min(u + 2 * p, count - 1)), second = experts.nth(min(u + 2 * p + 1, count - 1));
      expert[p] = lane ? second : first;
    }
    for (int i = 0, unit = blockIdx.x; unit < kUnits; i = i + 1 == pairs ? 0 : i + 1, unit += i ? 0 : gridDim.x) {
      acquire(Second::kTileBytes + Second::kTileScales);
      __syncwarp(); // lane 1 copies too, once lane 0 owns the slot
      if (lane < 2) {
        const long long row = static_cast<long long>(i ? expert[1] : expert[0]) * Shape::kHidden + unit * 8;
        bulk_copy(ring.address() + lane * (Second::kTileBytes / 2), a.down.blocks + row * Second::kRowBytes,
                  Second::kTileBytes / 2, ring.full_barrier());
        bulk_copy(ring.address() + Second::kTileBytes + lane * (Second::kTileScales / 2),
                  a.down.scales + row * Second::kBlocks, Second::kTileScales / 2, ring.full_barrier());
        if (kAdapter && a.down_adapter.a)
          fetch_factor_rows(a.down_adapter, a.adapter_rank, row, 8);
      }
      ring.at.advance();
    }
  }
}

/// Sums of the warps: of one tile of the first product, then of the second product for the whole launch.
template <class S> union RowSums {
  float4 tile[S::kGroups][2][S::kBatch][kRowsWarps][kWarp];
  float2 unit[kRowsMostUnits][S::kWarps][kWarp]; // a lane's own
};

/// Cooperative launch, one block a multiprocessor, at least experts_rows_blocks(hidden). kAdapter: a.gate_up_adapter
/// and a.down_adapter are read.
template <class S, bool kAdapter = false> __device__ void experts_rows(const ExpertsArgs &a) {
  using Shape = typename S::Shape;
  using First = RowShares<Shape::kHidden>;
  using Second = RowShares<Shape::kIntermediate>;
  constexpr int kTopK = Shape::kTopK, kTiles = 2 * Shape::kIntermediate / kRowsTile, kUnits = Shape::kHidden / 8;
  extern __shared__ __align__(128) uint4 ring_memory[];
  __shared__ RowSums<S> sums;
  __shared__ u64 barriers[2 * S::kSlots];
  const int lane = lane_index(), warp = warp_index(), g = lane >> 2, t = lane & 3;
  const int group = warp / kRowsWarps, member = warp % kRowsWarps;
  SlotRing<S> ring(shared_address(ring_memory), shared_address(barriers));
  if (threadIdx.x == 0) {
    for (int i = 0; i < S::kSlots; ++i) {
      barrier_init(ring.full + 8 * i, 1);
      barrier_init(ring.empty + 8 * i, kRowsWarps);
    }
    barrier_init_done();
  }
  start_dependents(); // its blocks find room as these end
  wait_for_earlier();
  const RoutedExperts<S> experts(a.experts, a.tokens, lane);
  __syncthreads();
  if (warp == S::kWarps)
    return produce_experts<S, kAdapter>(a, experts, ring, lane);
  auto consumers_sync = [] { named_sync(3, 32 * S::kWarps); };
  const int count = experts.count();
  const float score = lane < a.tokens * kTopK ? a.weights[lane] : 0.f; // of the lane's pair
  int slot_count = 0;                                                  // slots of the ring so far

  __shared__ LowShares<S> low_shares;
  const int rank = a.adapter_rank, all_pairs = a.tokens * kTopK;
  if (kAdapter && a.gate_up_adapter.a)
    make_low<S, bf16, Shape::kHidden>(a.gate_up_adapter, rank, experts, warp, lane, low_shares, [&](int pair, int c) {
      return pairs_of_eight(
          static_cast<const uint4 *>(a.x)[static_cast<long long>(pair / kTopK) * (Shape::kHidden / 8) + c]);
    });
  // The warps that share a tile take turns in adding a slice: each has asked for its own a tile before. Whose turn it
  // is follows from the tile alone, so that no sum depends on what shares the batch; tiles of a block are some 132
  // apart.
  auto slice_of = [&](int tile) { return kRankSlice * ((member - (tile >> 2)) & (kRowsWarps - 1)); };
  auto pair_at = [&](u32 routed, int token) { // -1: not routed there
    const u32 slots = RoutedExperts<S>::slots_of(routed, token);
    return slots ? token * kTopK + __ffs(slots) - 1 : -1;
  };
  auto low_of = [&](const ExpertsAdapter &adapter, int pair, int slice) {
    return pair < 0 ? make_uint2(kLowZero, kLowZero) : low_slice(adapter, rank, pair, slice, t);
  };

  { // ---- gate_up. Rows 2g and 2g + 1 of the tile: rows two apart start on opposite halves of the banks (2880).
    const First share(member, t);
    typename First::Activations x;
#pragma unroll
    for (int i = 0; i < First::kChunks; ++i)
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const u16 *from = static_cast<const u16 *>(a.x) +
                          static_cast<long long>(min(g, a.tokens - 1)) * Shape::kHidden + share.block[i] * 32 + c * 8;
        x.word[i][c] =
            share.inside[i] ? pairs_of_eight(*reinterpret_cast<const uint4 *>(from)) : make_uint4(0, 0, 0, 0);
      }
    const typename First::View view(share, 2 * g, 2 * g + 1);
    bool adds = false;
    uint2 gate, up, low;
    int pair = -1, slice = 0; // of token g
    auto prepare = [&](int i) {
      slice = slice_of(i % kTiles);
      adds = kAdapter && a.gate_up_adapter.a && slice < rank && i < count * kTiles;
      if (!adds)
        return;
      const int expert = experts.nth(i / kTiles);
      pair = pair_at(experts.pairs_of(expert), g);
      const long long row = static_cast<long long>(expert) * 2 * Shape::kIntermediate + i % kTiles * kRowsTile + 2 * g;
      gate = factor_slice(a.gate_up_adapter, rank, row, slice, t);
      up = factor_slice(a.gate_up_adapter, rank, row + 1, slice, t);
      low = low_of(a.gate_up_adapter, pair, slice);
    };
    prepare(blockIdx.x + group * gridDim.x);
    int batch = 0, held = 0; // tiles of this group in the batch that is being collected
    int tile_of[S::kBatch];
    u32 bias = 0; // of the tile that this warp finishes, asked for before that is multiplied
    // Adds up the shares of tile `which` of the batch, activates, and stores h of the tokens that are routed there.
    auto finish = [&](int which, int i) {
      const int expert = experts.nth(i / kTiles);
      const u32 routed = experts.pairs_of(expert);
      const int feature = i % kTiles * (kRowsTile / 2) + g, in8 = feature & 7;
      float4 sum = sums.tile[group][batch & 1][which][0][lane];
#pragma unroll
      for (int w = 1; w < kRowsWarps; ++w) {
        const float4 v = sums.tile[group][batch & 1][which][w][lane];
        sum.x += v.x, sum.y += v.y, sum.z += v.z, sum.w += v.w;
      }
      const float gate_bias = low_half<bf16>(bias), up_bias = high_half<bf16>(bias);
      const u32 h = pack<bf16>(clamped_swiglu(sum.x + gate_bias, sum.z + up_bias, a.alpha, a.limit),
                               clamped_swiglu(sum.y + gate_bias, sum.w + up_bias, a.alpha, a.limit));
#pragma unroll
      for (int k = 0; k < 2; ++k) {
        const int token = 2 * t + k;
        const u32 slots = RoutedExperts<S>::slots_of(routed, token);
        if (slots)
          static_cast<u16 *>(a.h)[static_cast<long long>(token * kTopK + __ffs(slots) - 1) * Shape::kIntermediate +
                                  (feature & ~7) + 2 * (in8 & 3) + (in8 >> 2)] = static_cast<u16>(k ? h >> 16 : h);
      }
    };
    auto finishes = [&](int which) { return member == ((batch & 1) * S::kBatch + which) % kRowsWarps; }; // by turns
    auto finish_batch = [&] {
      named_sync(group + 1, 32 * kRowsWarps);
#pragma unroll
      for (int k = 0; k < S::kBatch; ++k)
        if (k < held && finishes(k))
          finish(k, tile_of[k]);
      ++batch, held = 0;
    };
    for (int i = blockIdx.x; i < count * kTiles; i += gridDim.x) {
      if (slot_count++ % S::kGroups != group) {
        ring.at.advance();
        continue;
      }
      if (finishes(held)) {
        const long long row = static_cast<long long>(experts.nth(i / kTiles)) * Shape::kIntermediate;
        bias = static_cast<const u32 *>(a.gate_up.bias)[row + i % kTiles * (kRowsTile / 2) + g];
      }
      float acc[4] = {}, none[4] = {};
      barrier_wait(ring.full_barrier(), ring.at.parity);
      First::template multiply<false>(acc, none, ring.address(), view, x, x);
      release_slot(ring.empty_barrier(), lane);
      ring.at.advance();
      if (adds) {
        while (!are_there(low))
          low = low_of(a.gate_up_adapter, pair, slice);
        add_slice<Sm80, bf16>(acc, gate, up, low);
      }
      if constexpr (kAdapter)
        prepare(i + S::kGroups * gridDim.x);
      sums.tile[group][batch & 1][held][member][lane] = make_float4(acc[0], acc[1], acc[2], acc[3]);
#pragma unroll
      for (int k = 0; k < S::kBatch; ++k)
        if (k == held)
          tile_of[k] = i;
      if (++held == S::kBatch)
        finish_batch();
    }
    if (held > 0)
      finish_batch();
  }
  if (kAdapter && a.down_adapter.a) {
    clear_low(a.down_adapter, rank, all_pairs, 32 * S::kWarps); // of the launch before
    fetch_low<S, Shape::kIntermediate>(a.down_adapter, rank, experts, warp, lane);
  }
  __threadfence();
  consumers_sync();
  if (threadIdx.x == 32 * S::kWarps - 1)
    grid_barrier(a.barrier);
  // Meanwhile: what the second product is added to. A thread has one result: unit, token, g.
  static_assert(kRowsMostUnits * 64 <= 32 * S::kWarps);
  const int out_unit = threadIdx.x >> 6, out_token = threadIdx.x >> 3 & 7, row_lane = threadIdx.x & 7;
  const int out_row =
      (blockIdx.x + out_unit * gridDim.x) * 8 + ((row_lane & 4) | (row_lane & 1) << 1 | (row_lane >> 1 & 1));
  const bool has_out = out_unit < kRowsMostUnits && out_row < Shape::kHidden && out_token < a.tokens;
  float *const out = a.out + static_cast<long long>(out_token) * Shape::kHidden + out_row;
  float addend = has_out && a.accumulate ? *out : 0.f;
#pragma unroll
  for (int s = 0; s < kTopK; ++s) {
    const int pair = out_token * kTopK + s, expert = __shfl_sync(~0u, experts.id, pair & (kWarp - 1));
    const float weight = __shfl_sync(~0u, score, pair & (kWarp - 1));
    if (has_out && expert >= 0)
      addend += weight * low_half<bf16>(static_cast<const u16 *>(
                             a.down.bias)[static_cast<long long>(expert) * Shape::kHidden + out_row]);
  }
  consumers_sync();
  start_dependents();
  if (kAdapter && a.gate_up_adapter.a)
    clear_low(a.gate_up_adapter, rank, all_pairs, 32 * S::kWarps); // for the launch after
  if (kAdapter && a.down_adapter.a)
    make_low<S, bf16, Shape::kIntermediate>(
        a.down_adapter, rank, experts, warp, lane, low_shares, [&](int pair, int c) {
          return load_written(static_cast<const uint4 *>(a.h) +
                              static_cast<long long>(pair) * (Shape::kIntermediate / 8) + c);
        });

  // ---- down. Row order 0 2 1 3 4 6 5 7: neighbours in g are two rows apart, on opposite halves of the banks.
  const Second share(member, t);
  const int row_in_unit = (g & 4) | (g & 1) << 1 | (g >> 1 & 1);
  const typename Second::View view(share, row_in_unit, 8 + row_in_unit);
  for (int k = 0; k < kRowsMostUnits; ++k)
    sums.unit[k][warp][lane] = make_float2(0.f, 0.f);
  auto load_h = [&](typename Second::Activations &to, int pair) {
#pragma unroll
    for (int i = 0; i < Second::kChunks; ++i)
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const uint4 v = load_written(static_cast<const u16 *>(a.h) +
                                     static_cast<long long>(pair) * Shape::kIntermediate + share.block[i] * 32 + c * 8);
        to.word[i][c] = share.inside[i] ? v : make_uint4(0, 0, 0, 0);
      }
  };
  // The pair (row of h) of a token at an expert; a token routed elsewhere repeats a valid row, with weight 0.
  auto pair_of = [&](u32 routed, int token) {
    const u32 slots = RoutedExperts<S>::slots_of(routed, token);
    return slots ? token * kTopK + __ffs(slots) - 1 : routed ? __ffs(routed) - 1 : 0;
  };
  auto weight_of = [&](u32 routed, int token) { // of all lanes
    const float weight = __shfl_sync(~0u, score, pair_of(routed, token));
    return RoutedExperts<S>::slots_of(routed, token) ? weight : 0.f;
  };
  typename Second::Activations x, y;
  // An adapter's part, a slot ahead: slot j of the block is unit j % own of experts 2 (j / own) and the next one.
  const int own =
      (kUnits + static_cast<int>(gridDim.x) - 1 - static_cast<int>(blockIdx.x)) / static_cast<int>(gridDim.x);
  bool adds = false;
  uint2 b_first, b_second, low_x, low_y;
  int pair_x = -1, pair_y = -1, slice = 0;
  auto prepare = [&](int u, int k) { // for unit k of the block, of the experts from u on
    const int unit = blockIdx.x + k * gridDim.x;
    slice = slice_of(unit);
    adds = kAdapter && a.down_adapter.a && slice < rank && u < count && k < own;
    if (!adds)
      return;
    const int first = experts.nth(u), second = experts.nth(min(u + 1, count - 1));
    const u32 routed_first = experts.pairs_of(first), routed_second = u + 1 < count ? experts.pairs_of(second) : 0;
    const long long row = unit * 8 + row_in_unit;
    b_first = factor_slice(a.down_adapter, rank, static_cast<long long>(first) * Shape::kHidden + row, slice, t);
    b_second = factor_slice(a.down_adapter, rank, static_cast<long long>(second) * Shape::kHidden + row, slice, t);
    if constexpr (S::kGroups == 2) {
      pair_x = pair_at(g >> 2 ? routed_second : routed_first, g & 3);
    } else {
      pair_x = pair_at(routed_first, g), pair_y = pair_at(routed_second, g);
      low_y = low_of(a.down_adapter, pair_y, slice);
    }
    low_x = low_of(a.down_adapter, pair_x, slice);
  };
  for (int base = 0, pairs; base < count; base += 2 * pairs) {
    pairs = pairs_together<S>(base, count);
    const int u = base + (pairs == 2 ? 2 * group : 0), turn = pairs == 2 ? 1 : S::kGroups;
    u32 routed[2] = {experts.pairs_of(experts.nth(u)), experts.pairs_of(experts.nth(min(u + 1, count - 1)))};
    if (u + 1 >= count)
      routed[1] = 0;
    if constexpr (kAdapter)
      prepare(u, pairs == 2 ? 0 : group);
    float weight[2][2]; // [expert][token 2t, 2t + 1]; with two groups [0] only: t < 2 the first expert, else the second
    if constexpr (S::kGroups == 2) { // columns 0-3: tokens of the first expert, 4-7: of the second
      load_h(x, pair_of(routed[g >> 2], g & 3));
      weight[0][0] = weight_of(routed[t >> 1], 2 * (t & 1));
      weight[0][1] = weight_of(routed[t >> 1], 2 * (t & 1) + 1);
    } else {
      load_h(x, pair_of(routed[0], g));
      load_h(y, pair_of(routed[1], g));
#pragma unroll
      for (int k = 0; k < 4; ++k)
        weight[k >> 1][k & 1] = weight_of(routed[k >> 1], 2 * t + (k & 1));
    }
    for (int slot = 0; slot < own * pairs; ++slot) { // slots of the groups take turns
      if (S::kGroups == 2 && slot % 2 != group) {
        ring.at.advance();
        continue;
      }
      const int k = slot / pairs;
      float first[4] = {}, second[4] = {};
      barrier_wait(ring.full_barrier(), ring.at.parity);
      Second::template multiply<S::kGroups == 1>(first, second, ring.address(), view, x, y);
      release_slot(ring.empty_barrier(), lane);
      ring.at.advance();
      if (adds) {
        while (!are_there(low_x))
          low_x = low_of(a.down_adapter, pair_x, slice);
        add_slice<Sm80, bf16>(first, b_first, b_second, low_x);
        if constexpr (S::kGroups == 1) {
          while (!are_there(low_y))
            low_y = low_of(a.down_adapter, pair_y, slice);
          add_slice<Sm80, bf16>(second, b_first, b_second, low_y);
        }
      }
      if constexpr (kAdapter)
        prepare(u, k + turn);
      float2 sum = sums.unit[k][warp][lane];
      // A test, not a product with 0: another token's infinity must not become this one's NaN.
      const float low = S::kGroups == 2 && t >= 2 ? first[2] : first[0];
      const float high = S::kGroups == 2 && t >= 2 ? first[3] : first[1];
      if (weight[0][0] != 0.f)
        sum.x += weight[0][0] * low;
      if (weight[0][1] != 0.f)
        sum.y += weight[0][1] * high;
      if (S::kGroups == 1 && weight[1][0] != 0.f)
        sum.x += weight[1][0] * second[2];
      if (S::kGroups == 1 && weight[1][1] != 0.f)
        sum.y += weight[1][1] * second[3];
      sums.unit[k][warp][lane] = sum;
    }
  }
  consumers_sync();

  // ---- the warps' shares and what was there before ----
  if (!has_out)
    return;
  float sum = 0.f;
#pragma unroll
  for (int w = 0; w < S::kWarps; ++w)
#pragma unroll
    for (int half = 0; half < S::kGroups; ++half) {
      const float2 v = sums.unit[out_unit][w][row_lane * 4 + 2 * half + (out_token >> 1)];
      sum += out_token & 1 ? v.y : v.x;
    }
  *out = addend + sum;
}

} // namespace maskjit::device
