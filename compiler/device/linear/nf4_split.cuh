// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of 17 to 64 rows with an NF4 matrix, where the input rows that each block reads weigh more than its
// codes: blocks of many features, whose input features are shared out to the blocks of a cluster.
//
// Within a block, teams of kTeamWarps warps take the block's share of the input features in turn; the warps of a team
// split the features. Codes, and input rows once a team, come into shared memory ahead of use; what a team has in
// flight is its own, and teams wait for nobody. Operands are those of linear/nf4_rows.cuh. Sums are added in ascending
// order of teams, then of blocks: a row's result does not depend on the others.
//
// What bounds it is shared memory: 8 bytes of table a byte of codes are half of what goes through.
//
// Shared memory: table of pairs | sums from the blocks of the cluster [kCluster][rows / kCluster][features] fp32 | ring
// [teams][stages]: input [rows][128 + 16 bytes], codes [features][32 bytes]; under the ring, later, the sums of the
// teams [teams][rows][features, padded].
#pragma once
#include "cluster.cuh"
#include "dependents.cuh"
#include "nf4.cuh"

namespace maskjit::device {

__device__ inline uint2 shared_read_codes(u32 address) {
  uint2 x;
  asm volatile("ld.shared.v2.b32 {%0, %1}, [%2];" : "=r"(x.x), "=r"(x.y) : "r"(address) : "memory");
  return x;
}
__device__ inline float2 shared_read_floats(u32 address) {
  float2 x;
  asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(x.x), "=f"(x.y) : "r"(address) : "memory");
  return x;
}
/// The warps of a team.
template <int kWarps> __device__ void team_sync(int team) {
  if constexpr (kWarps == 1)
    __syncwarp();
  else
    asm volatile("bar.sync %0, %1;" ::"r"(team + 1), "n"(kWarps * 32) : "memory");
}

constexpr int pieces_each(int pieces, int threads) { return (pieces + threads - 1) / threads; }

template <class S> struct Nf4SplitTeam {
  using Arch = typename S::Arch;
  int warp, lane;   // within the team
  int first, count; // blocks of 64 input features
  u32 ring;
  const LinearNf4Args &args;
  int first_feature, first_row;

  static constexpr int kThreads = S::kTeamWarps * 32;
  __device__ u32 stage(int step) const { return ring + step % S::kStages * S::kStageBytes; }

  __device__ void load_codes(int step) const {
    constexpr int kPieces = S::kFeatures * 2;
    const int thread = warp * 32 + lane;
    if (step >= count)
      return;
#pragma unroll
    for (int k = 0; k < pieces_each(kPieces, kThreads); ++k) {
      const int i = k * kThreads + thread, row = i >> 1, half = i & 1;
      if (kPieces % kThreads != 0 && i >= kPieces)
        break;
      const int from = min(first_feature + row, args.features - 1);
      copy_async(stage(step) + S::kInputBytes + i * 16,
                 args.weight.codes + (static_cast<long long>(from) * S::kBlocksIn + first + step) * (kNf4Block / 2) +
                     half * 16,
                 true);
    }
  }
  __device__ void load_input(int step) const {
    constexpr int kPieces = S::kRows * 8;
    const int thread = warp * 32 + lane;
    if (step >= count)
      return;
#pragma unroll
    for (int k = 0; k < pieces_each(kPieces, kThreads); ++k) {
      const int i = k * kThreads + thread, row = i >> 3, chunk = i & 7;
      if ((kPieces % kThreads != 0 && i >= kPieces) || first_row + row >= args.rows)
        break; // sums of rows that are not there stay in their columns
      copy_async(stage(step) + row * S::kInputRow + chunk * 16,
                 static_cast<const u16 *>(args.input) + static_cast<long long>(first_row + row) * S::kIn +
                     (first + step) * kNf4Block + chunk * 8,
                 true);
    }
  }

  /// Lane (g, t): absmax of block first + step + t of rows g and g + 8 of each tile.
  __device__ void load_absmax(float (&absmax)[S::kTiles][2], int step) const {
    const int block = first + min(step + (lane & 3), max(count - 1, 0));
#pragma unroll
    for (int tile = 0; tile < S::kTiles; ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int feature = first_feature + (warp * S::kTiles + tile) * 16 + 8 * half + (lane >> 2);
        absmax[tile][half] = nf4_absmax<S::kNested>(
            args.weight, static_cast<long long>(min(feature, args.features - 1)) * S::kBlocksIn + block);
      }
  }
};

template <class S, class T> __device__ void linear_nf4_split(const LinearNf4Args &args) {
  using Arch = typename S::Arch;
  constexpr int kTiles = S::kTiles, kGroups = S::kRows / 8, kAhead = S::kAhead;
  extern __shared__ __align__(128) char nf4_split_shared[];
  const u32 table = shared_address(nf4_split_shared), exchange = table + kNf4TableBytes,
            ring = exchange + S::kExchangeBytes;
  const int warp = warp_index(), lane = lane_index(), g = lane >> 2, t = lane & 3;
  const int team = warp / S::kTeamWarps, part = S::kCluster == 1 ? 0 : static_cast<int>(cluster_rank());
  const int first_feature = static_cast<int>(blockIdx.x) / S::kCluster * S::kFeatures,
            first_row = blockIdx.y * S::kRows;
  const int part_first = part * S::kBlocksIn / S::kCluster, part_end = (part + 1) * S::kBlocksIn / S::kCluster;
  const int share = part_end - part_first, first = part_first + team * share / S::kTeams;
  const Nf4SplitTeam<S> mine = {warp % S::kTeamWarps,
                                lane,
                                first,
                                part_first + (team + 1) * share / S::kTeams - first,
                                ring + team * S::kStages * S::kStageBytes,
                                args,
                                first_feature,
                                first_row};
  start_dependents();
  Nf4TableFill<S::kThreads> fill(args.weight.table);
  float absmax[kTiles][2], later[kTiles][2];
  mine.load_absmax(absmax, 0);
#pragma unroll
  for (int step = 0; step < kAhead; ++step)
    mine.load_codes(step);
  if (S::kCluster > 1)
    cluster_arrive_relaxed();
  fill.store(table);
  wait_for_earlier();
#pragma unroll
  for (int step = 0; step < kAhead; ++step) {
    mine.load_input(step);
    copy_commit<Arch>();
  }
  __syncthreads();

  float sums[kTiles][kGroups][4] = {};
  const u32 lane_table = nf4_lane_table(table);
  const u32 input_at = g * S::kInputRow + 32 * t,
            codes_at = S::kInputBytes + (mine.warp * kTiles * 16 + g) * 32 + 8 * t;
  auto turn = [&](int step, int among_four) {
    copy_wait<Arch, kAhead - 1>();
    team_sync<S::kTeamWarps>(team);
    if (S::kSteps > kAhead) {
      mine.load_codes(step + kAhead);
      mine.load_input(step + kAhead);
    }
    copy_commit<Arch>();
    const u32 at = mine.stage(step);
    uint2 codes[kTiles][2];
    float scale[kTiles][2];
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        codes[tile][half] = shared_read_codes(at + codes_at + tile * 512 + half * 256);
        scale[tile][half] = __shfl_sync(~0u, absmax[tile][half], (lane & ~3) | among_four);
      }
#pragma unroll
    for (int word = 0; word < 2; ++word) {
      uint4 x[kGroups];
#pragma unroll
      for (int group = 0; group < kGroups; ++group)
        x[group] = shared_read(at + input_at + 8 * group * S::kInputRow + 16 * word);
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
        const uint2 &low = codes[tile][0], &high = codes[tile][1];
        const Nf4Pairs w = nf4_decode<T>(word ? low.y : low.x, lane_table, scale[tile][0]);
        const Nf4Pairs v = nf4_decode<T>(word ? high.y : high.x, lane_table, scale[tile][1]);
#pragma unroll
        for (int group = 0; group < kGroups; ++group)
          mma<Arch, T>(sums[tile][group], {w.p[0], v.p[0], w.p[1], v.p[1]}, x[group].x, x[group].y);
#pragma unroll
        for (int group = 0; group < kGroups; ++group)
          mma<Arch, T>(sums[tile][group], {w.p[2], v.p[2], w.p[3], v.p[3]}, x[group].z, x[group].w);
      }
    }
  };
#pragma unroll 1
  for (int step = 0; step < mine.count; ++step) {
    if (S::kSteps > 4 && step % 4 == 0) {
      if (step)
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile)
          absmax[tile][0] = later[tile][0], absmax[tile][1] = later[tile][1];
      mine.load_absmax(later, step + 4);
    }
    turn(step, step & 3);
  }
  copy_wait<Arch, 0>();
  __syncthreads(); // the ring becomes sums

  const u32 partial = ring + team * S::kTeamBytes;
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile)
#pragma unroll
    for (int group = 0; group < kGroups; ++group)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        shared_write(
            partial +
                ((8 * group + 2 * t + (i & 1)) * S::kSumsRow + (mine.warp * kTiles + tile) * 16 + 8 * (i >> 1) + g) * 4,
            __float_as_uint(sums[tile][group][i]));
  __syncthreads();
  constexpr int kPairs = S::kFeatures / 2, kRowsEach = S::kRowsEach;
  const u16 *const bias = static_cast<const u16 *>(args.bias);
  auto finish = [&](int row, int pair, float a, float b) {
    const int feature = first_feature + 2 * pair;
    if (first_row + row >= args.rows || feature >= args.features)
      return;
    if (bias)
      a += low_half<T>(bias[feature]), b += low_half<T>(bias[feature + 1]);
    *reinterpret_cast<u32 *>(static_cast<u16 *>(args.out) + static_cast<long long>(first_row + row) * args.features +
                             feature) = pack<T>(a, b);
  };
  if (S::kCluster > 1)
    cluster_wait(); // all blocks have begun
  for (int i = threadIdx.x; i < S::kRows * kPairs; i += S::kThreads) {
    const int row = i / kPairs, pair = i % kPairs;
    float a = 0.f, b = 0.f;
#pragma unroll
    for (int w = 0; w < S::kTeams; ++w) {
      const float2 two = shared_read_floats(ring + w * S::kTeamBytes + (row * S::kSumsRow + 2 * pair) * 4);
      a += two.x, b += two.y;
    }
    if constexpr (S::kCluster == 1)
      finish(row, pair, a, b);
    else
      cluster_write(exchange + ((part * kRowsEach + row / S::kCluster) * kPairs + pair) * 8, row % S::kCluster, a, b);
  }
  if constexpr (S::kCluster > 1) {
    cluster_arrive();
    cluster_wait();
    for (int i = threadIdx.x; i < kRowsEach * kPairs; i += S::kThreads) {
      const int slot = i / kPairs, pair = i % kPairs, row = slot * S::kCluster + part;
      if (row >= S::kRows)
        break;
      float a = 0.f, b = 0.f;
#pragma unroll
      for (int from = 0; from < S::kCluster; ++from) {
        const float2 two = shared_read_floats(exchange + ((from * kRowsEach + slot) * kPairs + pair) * 8);
        a += two.x, b += two.y;
      }
      finish(row, pair, a, b);
    }
  }
}

} // namespace maskjit::device
