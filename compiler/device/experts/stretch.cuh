// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Hopper, up to some dozens of tokens an expert, where reading weights is what takes time: one block a multiprocessor
// stays and takes an equal stretch of all tiles' weight rows, 64 at a time.
//
// The copy engine brings weights in pieces of 64 rows x 128 bytes, 256 features, through a ring that goes on across
// rows and experts: what single loads of 64 bytes a row reach is two thirds of the memory's rate. All features of the
// tile's tokens lie in shared memory as B of wgmma. Piece c of 64 rows is warpgroup c % kWarpgroups's, which decodes it
// into A; one of them, in turn, adds up the sums of all in their order and finishes them.
//
// The order of the summed features is free as long as both operands agree. Lane t of a quad takes whole blocks of 32
// weights, block 4s + t in step s of 128 features, rows g and g + 8; the two products of its word k are pairs 0 and 1,
// then 2 and 3. So chunk 4k + i, 16 bytes, of a token's step holds pair i of word k of each of the four blocks.
#pragma once
#include "experts/adapter.cuh"
#include "experts/stages.cuh"
#include "wgmma_wide.cuh"

namespace maskjit::device {

/// The weights of both products as 16-bit elements: boxes of 64 x kUnitRows, swizzled by 128 bytes.
struct ExpertsMaps {
  TensorMap gate_up, down;
};

__device__ inline void stretch_scales(u32 to, const u8 *from, int bytes, u32 bar) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
               "l"(from), "r"(bytes), "r"(bar)
               : "memory");
}
__device__ inline void shared_write_sums(u32 address, const float (&d)[4]) {
  shared_write(address,
               make_uint4(__float_as_uint(d[0]), __float_as_uint(d[1]), __float_as_uint(d[2]), __float_as_uint(d[3])));
}

/// The features of the tokens that exist, from pair order, as B: [2 a step][kTokens][128 bytes].
template <class S, int kColumns, class TokenRow>
__device__ void stretch_tokens(u32 to, int tokens, TokenRow token_row) {
  constexpr int kBlocks = kColumns / 32, kItems = 4 * ceil_div(kBlocks, 4);
  constexpr uint4 kNone = {0, 0, 0, 0};
#pragma unroll 2
  for (int item = threadIdx.x; item < tokens * kItems; item += S::kConsumers) {
    const int n = item / kItems, step = item % kItems / 4, i = item % 4;
    const uint4 *from = reinterpret_cast<const uint4 *>(token_row(n)) + step * 16 + i;
    uint4 b[4];
#pragma unroll
    for (int t = 0; t < 4; ++t)
      b[t] = kBlocks % 4 == 0 || 4 * step + t < kBlocks ? from[4 * t] : kNone;
    const u32 row = to + (2 * step * S::kTokens + n) * kTokenRowBytes;
    const u32 even = row + ((i ^ n) & 7) * 16, odd = row + (((i + 4) ^ n) & 7) * 16;
    constexpr int kNext = S::kTokens * kTokenRowBytes;
    shared_write(even, make_uint4(b[0].x, b[1].x, b[2].x, b[3].x));
    shared_write(odd, make_uint4(b[0].y, b[1].y, b[2].y, b[3].y));
    shared_write(even + kNext, make_uint4(b[0].z, b[1].z, b[2].z, b[3].z));
    shared_write(odd + kNext, make_uint4(b[0].w, b[1].w, b[2].w, b[3].w));
  }
}

/// A stretch of a product. `weight_row(r)`: the row of 64 behind row r of A, which is g + 8 half of a warp's 16; that
/// rows of lanes g and g ^ 1 differ by 4 keeps what eight lanes read in different banks. `token_row(p, pair)`: features
/// of sorted pair p in pair order. What becomes of the sums of rows 64 unit .. of the tile's expert:
/// `finish(acc, tile, unit, early, pairs)`, with what `start(tile, unit)` gave before them.
template <class S, class T, int kMatrixRows, int kColumns, class WeightRow, class TokenRow, class Start, class Finish>
__device__ void experts_stretch(const ExpertPlan *plan, const int *sorted, const TensorMap &map,
                                const Mxfp4Stack &matrix, WeightRow weight_row, TokenRow token_row, Start start,
                                Finish finish) {
  static_assert(T::kBf16, "this product is made for bf16");
  constexpr int kGroups = S::kWarpgroups, kStages = S::kStages, kTokens = S::kTokens, kTile = kTokens / 8;
  constexpr int kUnits = kMatrixRows / kUnitRows, kBlocks = kColumns / 32, kSteps = ceil_div(kBlocks, 4);
  constexpr int kRest = kBlocks % 4, kPieces = ceil_div(kSteps, 2), kScaleBytes = kUnitRows * kBlocks;
  constexpr int kRounds = ceil_div(kPieces, kGroups); // of pieces: the last may be past the row, zeros
  static_assert(kStages <= experts_stretch_most_stages(kGroups, kColumns));
  extern __shared__ char experts_shared[];
  __shared__ u64 barriers[2 * kStages + 2];
  __shared__ int pairs[kTokens]; // of the tile
  const u32 ring = (shared_address(experts_shared) + 1023u) & ~1023u, x_at = ring + kStages * kPieceBytes;
  const u32 scales_at = x_at + kTokens * experts_stretch_row_bytes(kColumns);
  const u32 shares_at = scales_at + 2 * kScaleBytes; // [kGroups - 1][kTile][128 threads][16 bytes]
  const u32 full = shared_address(barriers), empty = full + 8 * kStages, scaled = empty + 8 * kStages;
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; ++i)
      barrier_init(full + 8 * i, 1), barrier_init(empty + 8 * i, 4);
    barrier_init(scaled, 1), barrier_init(scaled + 8, 1);
    barrier_init_done();
  }
  start_dependents();
  wait_for_earlier();
  __syncthreads();
  const long long units = static_cast<long long>(plan->tiles) * kUnits;
  const int begin = static_cast<int>(units * blockIdx.x / gridDim.x);
  const int end = static_cast<int>(units * (blockIdx.x + 1) / gridDim.x);
  const int lane = lane_index(), group = warpgroup_index(), warp = warp_index() & 3, g = lane >> 2, t = lane & 3;

  if (group == kGroups) { // one thread keeps the ring filled
    RingIndex<kStages> at;
    for (int unit = begin, half = 0; lane == 0 && unit < end; ++unit, half ^= 1) {
      const int row = plan->tile[unit / kUnits].expert * kMatrixRows + unit % kUnits * kUnitRows;
      for (int piece = 0; piece < kRounds * kGroups; ++piece, at.advance()) {
        const u32 bar = full + 8 * at.stage;
        barrier_wait(empty + 8 * at.stage, at.parity ^ 1);
        if (piece == 0) {
          barrier_expect(scaled + 8 * half, kScaleBytes);
          stretch_scales(scales_at + half * kScaleBytes, matrix.scales + static_cast<long long>(row) * kBlocks,
                         kScaleBytes, scaled + 8 * half);
        }
        barrier_expect(bar, kPieceBytes);
        tma_load(ring + at.stage * kPieceBytes, map, bar, kEvictFirst, piece * kPieceElements, row, 0, 0);
      }
    }
    return;
  }

  const int low_row = weight_row(16 * warp + g), high_row = weight_row(16 * warp + g + 8);
  const u32 low_at = low_row * 128 + ((t ^ low_row) & 7) * 16, high_at = high_row * 128 + ((t ^ high_row) & 7) * 16;
  int stage = group, parity = 0;
  for (int begun = begin, count = 0; begun < end;) { // a tile's units at a time
    const ExpertTile tile = plan->tile[begun / kUnits];
    const int tile_end = min(end, (begun / kUnits + 1) * kUnits);
    named_sync(1, S::kConsumers); // all are through with the tokens before
    if (threadIdx.x < tile.count)
      pairs[threadIdx.x] = sorted[tile.first + threadIdx.x];
    named_sync(1, S::kConsumers);
    stretch_tokens<S, kColumns>(x_at, tile.count, [&](int n) { return token_row(tile.first + n, pairs[n]); });
    store_fence();
    named_sync(1, S::kConsumers);
    for (; begun < tile_end; ++begun, ++count) {
      float acc[1][kTile][4];
#pragma unroll
      for (int j = 0; j < kTile; ++j)
#pragma unroll
        for (int k = 0; k < 4; ++k)
          acc[0][j][k] = 0.f;
      const int half = count & 1, adds = count % kGroups;
      const u32 early = group == adds ? start(tile, begun % kUnits) : 0;
      const u32 scales = scales_at + half * kScaleBytes + 8 * group + t;
      u32 low_scale = scales + low_row * kBlocks, high_scale = scales + high_row * kBlocks;
      u64 b = k_major(x_at) + (group * 4 * kTokens * kTokenRowBytes >> 4);
      auto multiply = [&](const uint4 &low, const uint4 &high, int step, bool behind, bool release) {
        const u32 w[4] = {low.x, low.y, low.z, low.w}, v[4] = {high.x, high.y, high.z, high.w};
        const u32 low_factor = behind ? 0u : mxfp4_factor<T>(shared_read_byte(low_scale + 4 * step));
        const u32 high_factor = behind ? 0u : mxfp4_factor<T>(shared_read_byte(high_scale + 4 * step));
#pragma unroll
        for (int k = 0; k < 4; ++k) {
          const Pairs p = mxfp4_decode<T>(w[k], low_factor), q = mxfp4_decode<T>(v[k], high_factor);
          const u32 first[4] = {p.p[0], q.p[0], p.p[1], q.p[1]}, second[4] = {p.p[2], q.p[2], p.p[3], q.p[3]};
          const u64 at = b + ((2 * step + (k >> 1)) * kTokens * kTokenRowBytes + (k & 1) * 64 >> 4);
          mma_fence();
          mma_wide(acc[0], first, at);
          mma_wide(acc[0], second, at + 2);
          mma_commit();
          if (k == 0 && release) { // not before loads of the stage have become operands
            __syncwarp();
            if (lane == 0)
              barrier_arrive(empty + 8 * stage);
          }
          mma_wait<1>(); // the two before: their A registers are rewritten next
        }
      };
      barrier_wait(scaled + 8 * half, count >> 1 & 1);
#pragma unroll 1
      for (int piece = group; piece < kRounds * kGroups; piece += kGroups) {
        const u32 at = ring + stage * kPieceBytes;
        barrier_wait(full + 8 * stage, parity);
        const uint4 low = shared_read(at + low_at), high = shared_read(at + high_at);
        const uint4 next_low = shared_read(at + (low_at ^ 64)), next_high = shared_read(at + (high_at ^ 64));
        // In the row's last step lanes past its end have no block: zeros, times 0. Pieces past the last are waited for.
        const bool last = piece == kPieces - 1, behind = kRest && last && t >= kRest;
        if (piece >= kPieces) {
          __syncwarp();
          if (lane == 0)
            barrier_arrive(empty + 8 * stage);
        } else if (kSteps % 2 == 1 && last) {
          multiply(low, high, 0, behind, true);
        } else {
          multiply(low, high, 0, false, false);
          multiply(next_low, next_high, 1, kSteps % 2 == 0 && behind, true);
        }
        stage += kGroups;
        if (stage >= kStages)
          stage -= kStages, parity ^= 1;
        if (piece + kGroups >= kRounds * kGroups)
          mma_wait<0>(); // in the loop: behind it the compiler copies sums before it waits
        low_scale += 8 * kGroups, high_scale += 8 * kGroups, b += 4 * kGroups * kTokens * kTokenRowBytes >> 4;
      }

      const u32 share = shares_at + threadIdx.x % kWarpgroup * 16;
      if (group != adds) {
#pragma unroll
        for (int j = 0; j < kTile; ++j)
          shared_write_sums(share + ((group - (group > adds)) * kTile + j) * (kWarpgroup * 16), acc[0][j]);
        named_sync(2 + half, S::kConsumers);
        continue;
      }
      named_sync(2 + half, S::kConsumers);
#pragma unroll
      for (int j = 0; j < kTile; ++j) {
        float sum[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
        for (int i = 0; i < kGroups; ++i) { // in their order, whoever adds: no bit depends on where a stretch begins
          const int place = min(i - (i > adds), kGroups - 2);
          const uint4 other = shared_read(share + (place * kTile + j) * (kWarpgroup * 16));
          const float others[4] = {__uint_as_float(other.x), __uint_as_float(other.y), __uint_as_float(other.z),
                                   __uint_as_float(other.w)};
#pragma unroll
          for (int k = 0; k < 4; ++k)
            sum[k] += i == adds ? acc[0][j][k] : others[k];
        }
#pragma unroll
        for (int k = 0; k < 4; ++k)
          acc[0][j][k] = sum[k];
      }
      finish(acc, tile, begun % kUnits, early, pairs);
    }
  }
}

/// Results of two rows that are neighbours, those of lanes g and g ^ 2, for one token: a lane gets the even token's,
/// the other the odd one's.
template <class T> __device__ u32 stretch_two_rows(float even, float odd, bool odd_lane) {
  const float other = __shfl_xor_sync(~0u, odd_lane ? even : odd, 8);
  return odd_lane ? pack_finite<T>(other, odd) : pack_finite<T>(even, other);
}

/// One block a multiprocessor. As experts_gate_up of experts/grouped.cuh.
template <class S, class T> __device__ void experts_stretch_gate_up(const ExpertsMaps &maps, const ExpertsArgs &a) {
  using Shape = typename S::Shape;
  const int g = lane_index() >> 2, t = lane_index() & 3;
  const bool odd = g & 2;
  // Row g of a warp's 16: gate of one of its 8 features, row g + 8: its up.
  auto feature_of = [](int warp, int g) { return 2 * g + (warp & 1) + 16 * (warp >> 1); };
  auto weight_row = [&](int r) { return 2 * feature_of(r >> 4 & 3, r & 7) + (r >> 3 & 1); }; // of any warpgroup's
  auto first_row = [&](const ExpertTile &tile, int unit) {
    return static_cast<long long>(tile.expert) * 2 * Shape::kIntermediate + unit * kUnitRows;
  };
  experts_stretch<S, T, 2 * Shape::kIntermediate, Shape::kHidden>(
      a.plan, a.sorted, maps.gate_up, a.gate_up, weight_row,
      [&](int, int pair) {
        return static_cast<const u16 *>(a.x_pairs) + static_cast<long long>(pair / Shape::kTopK) * Shape::kHidden;
      },
      [&](const ExpertTile &tile, int unit) {
        if (a.gate_up_adapter.a)
          fetch_factor<S>(a.gate_up_adapter, a.adapter_rank, first_row(tile, unit), kUnitRows, weight_row);
        return *reinterpret_cast<const u32 *>(static_cast<const u16 *>(a.gate_up.bias) + first_row(tile, unit) +
                                              weight_row(16 * warp_index() + g)); // of gate and up
      },
      [&](auto &acc, const ExpertTile &tile, int unit, u32 early, const int *pairs) {
        if (a.gate_up_adapter.a)
          add_adapter<S, T>(acc, a.gate_up_adapter, a.adapter_rank, first_row(tile, unit), kUnitRows, tile.count,
                            weight_row, [&](int n) { return pairs[n]; });
        const int f = feature_of(warp_index() & 3, g);
        const float gate = low_half<T>(early), up = high_half<T>(early);
        u16 *const h = static_cast<u16 *>(a.h) + static_cast<long long>(tile.first) * Shape::kIntermediate +
                       unit * (kUnitRows / 2) + 8 * (f & 3) + 2 * (f >> 3); // pair order
#pragma unroll
        for (int j = 0; j < S::kTokens / 8; ++j) {
          const float (&d)[4] = acc[0][j];
          const u32 two = stretch_two_rows<T>(clamped_swiglu(d[0] + gate, d[2] + up, a.alpha, a.limit),
                                              clamped_swiglu(d[1] + gate, d[3] + up, a.alpha, a.limit), odd);
          if (const int n = 8 * j + 2 * t + odd; n < tile.count)
            *reinterpret_cast<u32 *>(h + n * Shape::kIntermediate) = two;
        }
      });
}

/// y by pair, not weighted.
template <class S, class T> __device__ void experts_stretch_down(const ExpertsMaps &maps, const ExpertsArgs &a) {
  using Shape = typename S::Shape;
  const int g = lane_index() >> 2, t = lane_index() & 3;
  const bool odd = g & 2;
  auto weight_row = [](int r) { return (r & 56) + (r >> 1 & 3) + 4 * (r & 1); }; // of any warpgroup's
  auto first_row = [&](const ExpertTile &tile, int unit) {
    return static_cast<long long>(tile.expert) * Shape::kHidden + unit * kUnitRows;
  };
  experts_stretch<S, T, Shape::kHidden, Shape::kIntermediate>(
      a.plan, a.sorted, maps.down, a.down, weight_row,
      [&](int p, int) { return static_cast<const u16 *>(a.h) + static_cast<long long>(p) * Shape::kIntermediate; },
      [&](const ExpertTile &tile, int unit) {
        if (a.down_adapter.a)
          fetch_factor<S>(a.down_adapter, a.adapter_rank, first_row(tile, unit), kUnitRows, weight_row);
        const u16 *const bias =
            static_cast<const u16 *>(a.down.bias) + first_row(tile, unit) + weight_row(16 * warp_index() + g);
        return bias[0] | static_cast<u32>(bias[8]) << 16;
      },
      [&](auto &acc, const ExpertTile &tile, int unit, u32 early, const int *pairs) {
        if (a.down_adapter.a)
          add_adapter<S, T>(acc, a.down_adapter, a.adapter_rank, first_row(tile, unit), kUnitRows, tile.count,
                            weight_row, [&](int n) { return tile.first + n; });
        const int r = weight_row(16 * warp_index() + g);
        const float low = low_half<T>(early), high = high_half<T>(early);
#pragma unroll
        for (int j = 0; j < S::kTokens / 8; ++j) {
          const float (&d)[4] = acc[0][j];
          const u32 first = stretch_two_rows<T>(d[0] + low, d[1] + low, odd);
          const u32 second = stretch_two_rows<T>(d[2] + high, d[3] + high, odd);
          if (const int n = 8 * j + 2 * t + odd; n < tile.count) {
            u16 *const y = static_cast<u16 *>(a.y) + static_cast<long long>(pairs[n]) * Shape::kHidden +
                           unit * kUnitRows + (r & ~1);
            *reinterpret_cast<u32 *>(y) = first;
            *reinterpret_cast<u32 *>(y + 8) = second;
          }
        }
      });
}

} // namespace maskjit::device
