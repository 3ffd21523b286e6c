// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// linear_rows over NF4 matrices: the same norm before and the same rope, cache and residual after, weights from codes.
//
// As in linear/nf4_rows.cuh the warps of a block take blocks of 64 input features in turn, and a lane takes 16 features
// of two matrix rows; as in linear/rows.cuh a block goes over its tiles of 16 features with the next tile's codes under
// way, up to 8 input rows stay in registers, and rows g and g + 8 of a tile are what rope turns together. An adapter is
// applied as there; rows of its first factors, 16 features a lane too, are read when they are multiplied.
//
// Shared memory: table of pairs | nested tables, one a matrix | partial sums [warps][16][8 * kGroups, padded] fp32,
// twice where that is little | sums of squares.
#pragma once
#include "linear/rows.cuh"
#include "nf4.cuh"

namespace maskjit::device {

/// kGroups, kHead: as LinearRows'.
template <class Arch_, int kIn_, int kWarps_, int kGroups_, int kHead_, bool kNested_> struct LinearNf4Fused {
  using Arch = Arch_;
  static constexpr int kIn = kIn_, kWarps = kWarps_, kGroups = kGroups_, kHead = kHead_;
  static constexpr bool kNested = kNested_;
  static constexpr int kTiles = 1, kFeatures = 16, kThreads = 32 * kWarps, kRows = 8 * kGroups;
  static constexpr int kBlocksIn = kIn / kNf4Block, kSteps = (kBlocksIn + kWarps - 1) / kWarps;
  static constexpr bool kWhole = kSteps * kWarps == kBlocksIn;
  static constexpr int kStride = linear_stride(kGroups);
  static constexpr int kSums = linear_sums(1, kGroups), kBuffers = linear_buffers(kWarps, 1, kGroups);
  static_assert(kIn % kNf4Block == 0 && kHead % 16 == 0);
};

template <class S, class T, bool kNorm, class Out, bool kAdapter = false>
__device__ void linear_nf4_fused(const LinearNf4StepArgs &nf4) {
  constexpr int kSteps = S::kSteps, kGroups = S::kGroups, kIn = S::kIn;
  constexpr bool kKeepInput = kGroups == 1;
  extern __shared__ __align__(16) char linear_memory[];
  float *const nested_tables = reinterpret_cast<float *>(linear_memory + kNf4TableBytes);
  float *const linear_shared = nested_tables + 256 * kMostMatrices;
  float *const squares_of = linear_shared + S::kBuffers * S::kWarps * S::kSums; // [warps][rows]
  const LinearArgs &args = nf4.linear;
  const int warp = warp_index(), lane = lane_index(), g = lane / 4, t = lane % 4;
  using Tile = LinearTile<S, kAdapter>;
  const int tiles = Tile::count(args), first_row = blockIdx.y * S::kRows;
  const u32 lane_table = nf4_lane_table(shared_address(linear_memory));
  if constexpr (S::kHead == 0)
    start_dependents();

  struct Codes {
    uint2 word[2]; // of matrix rows g and g + 8
    Nf4Absmax<S::kNested> absmax[2];
  } codes[kSteps];
  auto block_of = [&](int step) { return min(step * S::kWarps + warp, S::kBlocksIn - 1); };
  // The lane's part of a first factor's row.
  auto factor = [&](const Tile &tile, int step, int half) {
    return tile.weight(args) + static_cast<long long>(tile.feature(0, g + 8 * half)) * kIn +
           block_of(step) * kNf4Block + 16 * t;
  };
  auto load = [&](Codes &to, const Tile &tile, int step) {
    const int block = block_of(step);
    if (kAdapter && tile.low) {
#pragma unroll
      for (int half = 0; half < 2; ++half)
        asm volatile("prefetch.global.L2 [%0];" ::"l"(factor(tile, step, half)));
      return;
    }
    const Nf4Matrix &matrix = nf4.matrix[tile.matrix];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const long long at = static_cast<long long>(tile.feature(0, g + 8 * half)) * S::kBlocksIn + block;
      to.word[half] = *reinterpret_cast<const uint2 *>(matrix.codes + at * (kNf4Block / 2) + 8 * t);
      to.absmax[half].load(matrix, at);
    }
  };
  int index = blockIdx.x;
  Tile tile(args, min(index, tiles - 1));
#pragma unroll
  for (int step = 0; step < kSteps; ++step)
    load(codes[step], tile, step);
  Nf4TableFill<S::kThreads>(nf4.matrix[0].table).store(shared_address(linear_memory));
  if constexpr (S::kNested)
    for (int i = threadIdx.x; i < 256 * kMostMatrices; i += S::kThreads)
      if (nf4.matrix[i / 256].nested_table)
        nested_tables[i] = nf4.matrix[i / 256].nested_table[i % 256];
  wait_for_earlier();
  if constexpr (S::kHead > 0)
    start_dependents(); // attention, which reads all but this kernel's results before it waits

  // Sixteen features of an input row as the right operands of four products.
  float squares[kGroups] = {};
  auto input = [&](u32(&x)[8], int group, int step, float &square) {
    const int feature = (step * S::kWarps + warp) * kNf4Block + 16 * t;
    const long long row = min(first_row + 8 * group + g, args.rows - 1);
    const uint4 a = input_features<T, kNorm, S::kWhole>(args, row, feature, kIn, square);
    const uint4 b = input_features<T, kNorm, S::kWhole>(args, row, feature + 8, kIn, square);
    x[0] = a.x, x[1] = a.y, x[2] = a.z, x[3] = a.w, x[4] = b.x, x[5] = b.y, x[6] = b.z, x[7] = b.w;
  };
  u32 kept[kKeepInput ? kSteps : 1][8];
  if constexpr (kKeepInput)
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
      input(kept[step], 0, step, squares[0]);
  __syncthreads(); // the tables

  AdapterTerm<S, T> term(args, first_row);
  for (bool first = true, odd = false; index < tiles; index += gridDim.x, first = false, odd = !odd) {
    const Tile next(args, min(index + static_cast<int>(gridDim.x), tiles - 1));
    const bool last = index + static_cast<int>(gridDim.x) >= tiles;
    const float *const nested_table = nested_tables + 256 * tile.matrix;
    const float offset = S::kNested ? *nf4.matrix[tile.matrix].nested_offset : 0.f;
    float sums[1][kGroups][4] = {};
    if constexpr (kAdapter)
      term.begin(tile);
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      Codes &c = codes[step];
      Nf4Pairs low[2], high[2];
      if (kAdapter && tile.low) {
#pragma unroll
        for (int word = 0; word < 2; ++word) {
          const uint4 a = load_once<S>(factor(tile, step, 0) + 8 * word),
                      b = load_once<S>(factor(tile, step, 1) + 8 * word);
          low[word] = {a.x, a.y, a.z, a.w}, high[word] = {b.x, b.y, b.z, b.w};
        }
      } else {
        const float low_absmax = c.absmax[0].get(nested_table, offset),
                    high_absmax = c.absmax[1].get(nested_table, offset);
#pragma unroll
        for (int word = 0; word < 2; ++word) {
          low[word] = nf4_decode<T>(word ? c.word[0].y : c.word[0].x, lane_table, low_absmax);
          high[word] = nf4_decode<T>(word ? c.word[1].y : c.word[1].x, lane_table, high_absmax);
        }
      }
      if (!last)
        load(c, next, step);
#pragma unroll
      for (int group = 0; group < kGroups; ++group) {
        u32 again[8];
        float unused = 0.f;
        if constexpr (!kKeepInput)
          input(again, group, step, first ? squares[group] : unused);
        const u32(&x)[8] = kKeepInput ? kept[kKeepInput ? step : 0] : again;
#pragma unroll
        for (int word = 0; word < 2; ++word) { // blocks past the last: zeros of the input
          const Nf4Pairs &w = low[word], &v = high[word];
          mma<typename S::Arch, T>(sums[0][group], {w.p[0], v.p[0], w.p[1], v.p[1]}, x[4 * word], x[4 * word + 1]);
          mma<typename S::Arch, T>(sums[0][group], {w.p[2], v.p[2], w.p[3], v.p[3]}, x[4 * word + 2], x[4 * word + 3]);
        }
      }
    }

    if constexpr (kAdapter)
      term.add(sums, tile);
    float *const partial = linear_shared + (S::kBuffers > 1 && odd ? S::kWarps * S::kSums : 0);
    if (S::kBuffers == 1 && !first)
      __syncthreads(); // the tile before has been summed
#pragma unroll
    for (int group = 0; group < kGroups; ++group)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        *reinterpret_cast<float2 *>(partial + warp * S::kSums + (8 * half + g) * S::kStride + 8 * group +
                                    2 * t) = {sums[0][group][2 * half], sums[0][group][2 * half + 1]};
    if (kNorm && first)
#pragma unroll
      for (int group = 0; group < kGroups; ++group) {
        const float sum = quad_sum(squares[group]);
        if (t == 0)
          squares_of[warp * S::kRows + 8 * group + g] = sum;
      }
    __syncthreads();
    // One thread a pair of features and a row; warps are added in ascending order.
    for (int i = threadIdx.x; i < 8 * S::kRows; i += S::kThreads) {
      const int r = i % 8, row = i / 8;
      if (first_row + row >= args.rows)
        continue;
      float a = 0.f, b = 0.f, square = 0.f;
#pragma unroll
      for (int w = 0; w < S::kWarps; ++w) {
        a += partial[w * S::kSums + r * S::kStride + row];
        b += partial[w * S::kSums + (8 + r) * S::kStride + row];
        if (kNorm)
          square += squares_of[w * S::kRows + row];
      }
      if (kAdapter && tile.low) {
        term.store(tile, tile.feature(0, r), tile.feature(0, r + 8), first_row + row, a, b);
        continue;
      }
      if (kNorm) {
        const float scale = rsqrtf(square / kIn + args.eps);
        a *= scale, b *= scale;
      }
      finish_pair<S, T, Out>(args, tile, tile.feature(0, r), tile.feature(0, r + 8), first_row + row, a, b);
    }
    tile = next;
  }
}

} // namespace maskjit::device
