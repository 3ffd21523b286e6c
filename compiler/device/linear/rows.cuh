// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of few rows with large matrices, at the speed of reading the matrices; norm before, rope, cache and residual
// after. Compiled by NVRTC for every architecture.
//
// A block owns a tile of 16 * kTiles features at a time and shares the input features among its warps. Weights go from
// global memory straight into the registers of a product (mma m16n8k16 with weights as the left operand): the order of
// the summed features is free as long as both operands agree, so lane (g, t) takes 8 consecutive features of matrix row
// g and of input row g, 16 bytes each, which make two products. A warp's share of a whole tile, or a kAhead-th of it,
// is under way while the one before is multiplied; the first is asked for before the kernel waits for its input. With
// up to 8 input rows their share stays in registers for all tiles of the block.
//
// Rope needs features i and i + D / 2 of a head: rows g and g + 8 of a tile are those, so one thread has both.
//
// With an adapter (linear/adapter.cuh) the first tiles are those of its first factors, whose results all blocks wait
// for before they add the second factors' products to their sums. Blocks of the first tiles start first and wait for
// nobody.
//
// Shared memory: kept input | partial sums [warps][16 * kTiles][8 * kGroups, padded] fp32, twice where that is little |
// sums of squares.
#pragma once
#include "dependents.cuh"
#include "linear/adapter.cuh"
#include "step_args.h"

namespace maskjit::device {

/// kIn: input features. kTiles: tiles of 16 features a block has at a time. kGroups: groups of 8 input rows, the rows
/// past the last repeat it and nobody reads them. kHead: 0, or the head dimension whose halves are paired. kKept: more
/// than 8 rows stay in shared memory.
template <class Arch_, int kIn_, int kWarps_, int kAhead_, int kTiles_, int kGroups_, int kHead_, bool kKept_ = false>
struct LinearRows {
  using Arch = Arch_;
  static constexpr int kIn = kIn_, kWarps = kWarps_, kAhead = kAhead_, kTiles = kTiles_, kGroups = kGroups_;
  static constexpr bool kKept = kKept_;
  static constexpr int kHead = kHead_, kThreads = kWarps * 32, kFeatures = 16 * kTiles, kRows = 8 * kGroups;
  static constexpr int kStepIn = 32, kSteps = (kIn + kStepIn * kWarps - 1) / (kStepIn * kWarps); // of a warp
  static constexpr int kStride = linear_stride(kGroups); // of the sums of one feature
  static constexpr int kSums = linear_sums(kTiles, kGroups), kBuffers = linear_buffers(kWarps, kTiles, kGroups);
  static constexpr int kKeptBytes = kKept ? linear_kept_bytes(kIn, kWarps, kGroups) : 0;
  static constexpr int kSharedBytes = kKeptBytes + linear_shared_bytes(kWarps, kTiles, kGroups);
  static constexpr bool kWhole = kSteps * kStepIn * kWarps == kIn; // no lane is past the end
  static_assert(kIn % 8 == 0 && kSteps % kAhead == 0 && kHead % 16 == 0);
};

/// 16 bytes that are read once. What L1::no_allocate asks for is the first that the L2 cache gives up: good where the
/// warps that read the rest of a line do so at once; of many rows, which take longer, it would come from memory twice.
template <class S> __device__ uint4 load_once(const void *from) {
  uint4 x;
#if __CUDA_ARCH__ >= 800
  if constexpr (S::kGroups == 1)
    asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
                 : "l"(from));
  else
    asm volatile("ld.global.nc.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
                 : "l"(from));
#else
  asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w) : "l"(from));
#endif
  return x;
}

template <class T> __device__ float element(const void *data, long long index) {
  return low_half<T>(static_cast<const u16 *>(data)[index]);
}
template <class T> __device__ void set_element(void *data, long long index, float value) {
  static_cast<u16 *>(data)[index] = static_cast<u16>(pack_finite<T>(value, 0.f));
}

/// Eight fp32 features times the weight of a norm as the right operand of two products; the sum of their squares is
/// added to `squares`.
template <class T> __device__ uint4 normed_features(const float *from, uint4 weight, float &squares) {
  const float4 a = reinterpret_cast<const float4 *>(from)[0], b = reinterpret_cast<const float4 *>(from)[1];
  squares += a.x * a.x + a.y * a.y + a.z * a.z + a.w * a.w + b.x * b.x + b.y * b.y + b.z * b.z + b.w * b.w;
  return {pack<T>(a.x * low_half<T>(weight.x), a.y * high_half<T>(weight.x)),
          pack<T>(a.z * low_half<T>(weight.y), a.w * high_half<T>(weight.y)),
          pack<T>(b.x * low_half<T>(weight.z), b.y * high_half<T>(weight.z)),
          pack<T>(b.z * low_half<T>(weight.w), b.w * high_half<T>(weight.w))};
}

/// Eight features of one input row; with a norm as above.
template <class T, bool kNorm, bool kWhole>
__device__ uint4 input_features(const LinearArgs &args, long long row, int feature, int in, float &squares) {
  if (!kWhole && feature >= in)
    return {0, 0, 0, 0};
  if constexpr (!kNorm)
    return *reinterpret_cast<const uint4 *>(static_cast<const u16 *>(args.input) + row * in + feature);
  const uint4 weight = *reinterpret_cast<const uint4 *>(static_cast<const u16 *>(args.norm) + feature);
  return normed_features<T>(static_cast<const float *>(args.input) + row * in + feature, weight, squares);
}

/// A tile's matrix and the rows of it that the lane multiplies. kAdapter: the first tiles are those of an adapter.
template <class S, bool kAdapter> struct LinearTile {
  int matrix, tile; // tile of the matrix
  bool low = false; // of the adapter's first factor
  int rank = 0;     // whose rows these are; those past the last repeat it

  __device__ LinearTile(const LinearArgs &args, int index) : matrix(0) {
    const int *first = args.first_tile;
    if constexpr (kAdapter) {
      low = index < args.adapter.first_tile[kMostMatrices], rank = args.adapter.rank;
      first = low ? args.adapter.first_tile : first;
      index -= low ? 0 : args.adapter.first_tile[kMostMatrices];
    }
    tile = index;
#pragma unroll
    for (int m = 1; m < kMostMatrices; ++m)
      if (index >= first[m])
        matrix = m, tile = index - first[m];
  }
  __device__ static int count(const LinearArgs &args) {
    return args.first_tile[kMostMatrices] + (kAdapter ? args.adapter.first_tile[kMostMatrices] : 0);
  }
  __device__ const u16 *weight(const LinearArgs &args) const {
    return static_cast<const u16 *>(kAdapter && low ? args.adapter.a[matrix] : args.weight[matrix]);
  }
  /// Feature of row `r` (0 .. 15) of the part `part` of the tile.
  __device__ int feature(int part, int r) const {
    const int block = tile * S::kTiles + part;
    if (kAdapter && low)
      return min(block * 16 + r, rank - 1);
    if constexpr (S::kHead == 0) {
      return block * 16 + r;
    } else { // rows r and r + 8 are half a head apart
      constexpr int kBlocks = S::kHead / 16;
      return block / kBlocks * S::kHead + block % kBlocks * 8 + r % 8 + r / 8 * (S::kHead / 2);
    }
  }
};

/// Types of results: rounded, or fp32.
struct Rounded {
  static constexpr bool kWide = false;
};
struct Wide {
  static constexpr bool kWide = true;
};

/// What is known of two features, `low` and `high`, of one row before their sums are: bias, residual, the angle by
/// which they are turned, and where in a key head's part of the cache they go.
struct PairEnds {
  float bias[2] = {}, residual[2] = {}, sine = 0.f, cosine = 1.f;
  int slot = -1; // page * page size + place in the page; -1: nowhere
};
/// What no earlier kernel of a step writes.
template <class T> __device__ void load_bias(PairEnds &ends, const LinearArgs &args, int matrix, int low, int high) {
  if (args.bias[matrix])
    ends.bias[0] = element<T>(args.bias[matrix], low), ends.bias[1] = element<T>(args.bias[matrix], high);
}
/// The rest. kTurns: sines and cosines are those that the embedding has left.
template <class S, class Out, bool kTurns = false>
__device__ void load_ends(PairEnds &ends, const LinearArgs &args, int matrix, int features, int low, int high,
                          int row) {
  // Only where heads are paired is anything done by position.
  const int position = S::kHead > 0 && args.positions ? args.positions[row] : 0;
  if (S::kHead > 0 && args.rotate[matrix]) {
    const int pair = low % (S::kHead > 0 ? S::kHead : 1);
    if constexpr (kTurns) {
      const float2 turn = reinterpret_cast<const float2 *>(args.turns)[row * (S::kHead / 2) + pair];
      ends.cosine = turn.x, ends.sine = turn.y;
    } else {
      sincosf(static_cast<float>(position) * args.frequencies[pair], &ends.sine, &ends.cosine);
      ends.sine *= args.rope_scale, ends.cosine *= args.rope_scale;
    }
  }
  if (S::kHead > 0 && !args.out[matrix] && position >= 0) {
    const int shift = args.cache.page_shift;
    const int page = args.cache.table[row * args.cache.table_stride + (position >> shift)];
    ends.slot = (page << shift) + (position & ((1 << shift) - 1));
  } else {
    ends.slot = -1;
  }
  if (Out::kWide && args.residual) {
    const float *const residual = args.residual + static_cast<long long>(row) * features;
    ends.residual[0] = residual[low], ends.residual[1] = residual[high];
  }
}
/// Their sums become results: bias, rope, residual, and where they go.
template <class S, class T, class Out>
__device__ void place_pair(const LinearArgs &args, const PairEnds &ends, int matrix, int features, int low, int high,
                           int row, float a, float b) {
  a += ends.bias[0], b += ends.bias[1];
  if (S::kHead > 0 && args.rotate[matrix]) {
    // As the model's rope: rounded to the activations' type first, turned in fp32.
    a = low_half<T>(pack_finite<T>(a, 0.f)), b = low_half<T>(pack_finite<T>(b, 0.f));
    const float turned = a * ends.cosine - b * ends.sine;
    b = b * ends.cosine + a * ends.sine, a = turned;
  }
  if (!args.out[matrix]) { // the cache's
    if (ends.slot < 0)
      return;
    const bool is_value = matrix + 1 == kMostMatrices || args.first_tile[matrix + 2] == args.first_tile[matrix + 1];
    constexpr int kHead = S::kHead > 0 ? S::kHead : 1;
    const int heads = features / kHead, shift = args.cache.page_shift, in_page = ends.slot & ((1 << shift) - 1);
    const long long page = ends.slot >> shift;
    const long long at = (((page * heads + low / kHead) << shift) + in_page) * kHead;
    void *const pages = is_value ? args.cache.value : args.cache.key;
    set_element<T>(pages, at + low % kHead, a);
    set_element<T>(pages, at + high % kHead, b);
    return;
  }
  const long long at = static_cast<long long>(row) * features;
  if constexpr (Out::kWide) {
    float *const out = static_cast<float *>(args.out[matrix]) + at;
    out[low] = ends.residual[0] + a;
    out[high] = ends.residual[1] + b;
  } else {
    set_element<T>(args.out[matrix], at + low, a);
    set_element<T>(args.out[matrix], at + high, b);
  }
}

template <class S> __device__ int features_of(const LinearArgs &args, int matrix) {
  return (args.first_tile[matrix + 1] - args.first_tile[matrix]) * S::kFeatures;
}
/// All of it.
template <class S, class T, class Out, bool kTurns = false, class Tile>
__device__ void finish_pair(const LinearArgs &args, const Tile &tile, int low, int high, int row, float a, float b) {
  const int matrix = tile.matrix, features = features_of<S>(args, matrix);
  PairEnds ends;
  load_bias<T>(ends, args, matrix, low, high);
  load_ends<S, Out, kTurns>(ends, args, matrix, features, low, high, row);
  place_pair<S, T, Out>(args, ends, matrix, features, low, high, row, a, b);
}

/// What an adapter adds to the sums of a block's tiles: each warp multiplies its slices of the second factor.
template <class S, class T> struct AdapterTerm {
  /// Small tiles leave registers to ask for the first slice before the tile is multiplied.
  static constexpr bool kEarly = S::kTiles == 1;
  const LinearArgs &args;
  const int first_row, first_slice = kRankSlice * warp_index(), g = lane_index() / 4, t = lane_index() % 4;
  uint2 b[S::kTiles][2], x[S::kGroups]; // of rows g and g + 8; of row g of each group

  __device__ AdapterTerm(const LinearArgs &args, int first_row) : args(args), first_row(first_row) {}

  template <class Tile> __device__ bool adds(const Tile &tile) const {
    return !tile.low && args.adapter.b[tile.matrix] && first_slice < args.adapter.rank;
  }
  template <class Tile> __device__ const u16 *factor(const Tile &tile, int part, int half, int slice) const {
    return static_cast<const u16 *>(args.adapter.b[tile.matrix]) +
           static_cast<long long>(tile.feature(part, g + 8 * half)) * args.adapter.rank + slice + 4 * t;
  }
  template <class Tile> __device__ const u16 *low(const Tile &tile, int group, int slice) const {
    const long long row = min(first_row + 8 * group + g, args.rows - 1);
    return static_cast<const u16 *>(args.adapter.low) + (row * kMostMatrices + tile.matrix) * args.adapter.rank +
           slice + 4 * t;
  }
  template <class Tile> __device__ void load(const Tile &tile, int slice) {
#pragma unroll
    for (int part = 0; part < S::kTiles; ++part)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        b[part][half] = read_factor(factor(tile, part, half, slice));
#pragma unroll
    for (int group = 0; group < S::kGroups; ++group)
      x[group] = read_low(low(tile, group, slice));
  }

  template <class Tile> __device__ void begin(const Tile &tile) {
    if (!adds(tile))
      return;
    if constexpr (kEarly)
      load(tile, first_slice);
    else
#pragma unroll
      for (int part = 0; part < S::kTiles; ++part)
#pragma unroll
        for (int half = 0; half < 2; ++half)
          asm volatile("prefetch.global.L2 [%0];" ::"l"(factor(tile, part, half, first_slice)));
  }
  template <class Tile> __device__ void add(float (&sums)[S::kTiles][S::kGroups][4], const Tile &tile) {
    if (!adds(tile))
      return;
#pragma unroll 1
    for (int slice = first_slice; slice < args.adapter.rank; slice += kRankSlice * S::kWarps) {
      if (!kEarly || slice != first_slice)
        load(tile, slice);
#pragma unroll
      for (int group = 0; group < S::kGroups; ++group) {
        while (!are_there(x[group]))
          x[group] = read_low(low(tile, group, slice));
#pragma unroll
        for (int part = 0; part < S::kTiles; ++part)
          add_slice<typename S::Arch, T>(sums[part][group], b[part][0], b[part][1], x[group]);
      }
    }
  }

  /// Of the first factor: not normed, as the sums that it is added to are not yet.
  template <class Tile> __device__ void store(const Tile &tile, int low, int high, int row, float a, float b) const {
    const long long at = (static_cast<long long>(row) * kMostMatrices + tile.matrix) * args.adapter.rank;
    store_low<T>(args.adapter.low, at + low, a);
    store_low<T>(args.adapter.low, at + high, b);
  }
};

template <class S, class T, bool kNorm, class Out, bool kAdapter = false>
__device__ void linear_rows(const LinearArgs &args) {
  constexpr int kSteps = S::kSteps, kAhead = S::kAhead, kTiles = S::kTiles, kGroups = S::kGroups, kIn = S::kIn;
  constexpr bool kKeepInput = kGroups == 1;
  extern __shared__ __align__(16) char linear_memory[];
  uint4 *const kept_shared = reinterpret_cast<uint4 *>(linear_memory) + threadIdx.x; // [steps][groups][threads]
  float *const linear_shared = reinterpret_cast<float *>(linear_memory + S::kKeptBytes);
  float *const squares_of = linear_shared + S::kBuffers * S::kWarps * S::kSums; // [warps][rows]
  const int warp = warp_index(), lane = lane_index(), g = lane / 4, t = lane % 4;
  using Tile = LinearTile<S, kAdapter>;
  const int tiles = Tile::count(args), first_feature = warp * kSteps * S::kStepIn + 8 * t;
  const int first_row = blockIdx.y * S::kRows; // rows beyond a block's are another's, which reads the matrix again
  if constexpr (S::kHead == 0)
    start_dependents();

  auto load = [&](uint4(&w)[kTiles][2], const Tile &tile, int step) {
    const int feature = first_feature + step * S::kStepIn;
    const u16 *const matrix = tile.weight(args) + feature;
#pragma unroll
    for (int part = 0; part < kTiles; ++part)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        w[part][half] = S::kWhole || feature < kIn
                            ? load_once<S>(matrix + static_cast<long long>(tile.feature(part, g + 8 * half)) * kIn)
                            : uint4{0, 0, 0, 0};
  };
  int index = blockIdx.x;
  uint4 weights[kAhead][kTiles][2];
  Tile tile(args, min(index, tiles - 1));
#pragma unroll
  for (int step = 0; step < kAhead; ++step)
    load(weights[step], tile, step);
  wait_for_earlier();
  if constexpr (S::kHead > 0)
    start_dependents(); // attention, which reads all but this kernel's results before it waits

  uint4 kept[kKeepInput ? kSteps : 1];
  float squares[kGroups] = {};
  if constexpr (kKeepInput) {
    const long long row = min(first_row + g, args.rows - 1);
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      kept[step] = input_features<T, kNorm, S::kWhole>(args, row, first_feature + step * S::kStepIn, kIn, squares[0]);
      if (step % 3 == 2)
        asm volatile("" ::: "memory"); // all loads at once would take registers that the weights have
    }
  }

  if constexpr (S::kKept)
    for (int step = 0; step < kSteps; ++step)
#pragma unroll
      for (int group = 0; group < kGroups; ++group)
        kept_shared[(step * kGroups + group) * S::kThreads] =
            input_features<T, kNorm, S::kWhole>(args, min(first_row + 8 * group + g, args.rows - 1),
                                                first_feature + step * S::kStepIn, kIn, squares[group]);

  AdapterTerm<S, T> term(args, first_row);
  for (bool first = true, odd = false; index < tiles; index += gridDim.x, first = false, odd = !odd) {
    const Tile next(args, min(index + static_cast<int>(gridDim.x), tiles - 1));
    const bool last = index + static_cast<int>(gridDim.x) >= tiles;
    float sums[kTiles][kGroups][4] = {};
    if constexpr (kAdapter)
      term.begin(tile);
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      uint4(&w)[kTiles][2] = weights[step % kAhead];
#pragma unroll
      for (int group = 0; group < kGroups; ++group) {
        uint4 x;
        if constexpr (kKeepInput) {
          x = kept[step];
        } else if constexpr (S::kKept) {
          x = kept_shared[(step * kGroups + group) * S::kThreads];
        } else {
          float again = 0.f;
          x = input_features<T, kNorm, S::kWhole>(args, min(first_row + 8 * group + g, args.rows - 1),
                                                  first_feature + step * S::kStepIn, kIn,
                                                  first ? squares[group] : again);
        }
#pragma unroll
        for (int part = 0; part < kTiles; ++part) {
          const uint4 &low = w[part][0], &high = w[part][1];
          mma<typename S::Arch, T>(sums[part][group], {low.x, high.x, low.y, high.y}, x.x, x.y);
          mma<typename S::Arch, T>(sums[part][group], {low.z, high.z, low.w, high.w}, x.z, x.w);
        }
      }
      if (step + kAhead < kSteps)
        load(w, tile, step + kAhead);
      else if (!last)
        load(w, next, step + kAhead - kSteps);
    }

    if constexpr (kAdapter)
      term.add(sums, tile);
    float *const partial = linear_shared + (S::kBuffers > 1 && odd ? S::kWarps * S::kSums : 0);
    if (S::kBuffers == 1 && !first)
      __syncthreads(); // the tile before has been summed
#pragma unroll
    for (int part = 0; part < kTiles; ++part)
#pragma unroll
      for (int group = 0; group < kGroups; ++group)
#pragma unroll
        for (int half = 0; half < 2; ++half)
          *reinterpret_cast<float2 *>(partial + warp * S::kSums + (16 * part + 8 * half + g) * S::kStride + 8 * group +
                                      2 * t) = {sums[part][group][2 * half], sums[part][group][2 * half + 1]};
    if (kNorm && first)
#pragma unroll
      for (int group = 0; group < kGroups; ++group) {
        const float sum = quad_sum(squares[group]);
        if (t == 0)
          squares_of[warp * S::kRows + 8 * group + g] = sum;
      }
    __syncthreads();
    // One thread a pair of features and a row; warps are added in ascending order.
    for (int i = threadIdx.x; i < 8 * kTiles * S::kRows; i += S::kThreads) {
      // Neighbours have neighbouring features, so that results are written in whole sectors.
      const int r = i % 8, row = i / 8 % S::kRows, part = i / (8 * S::kRows);
      if (first_row + row >= args.rows)
        continue;
      float a = 0.f, b = 0.f, square = 0.f;
#pragma unroll
      for (int w = 0; w < S::kWarps; ++w) {
        a += partial[w * S::kSums + (16 * part + r) * S::kStride + row];
        b += partial[w * S::kSums + (16 * part + 8 + r) * S::kStride + row];
        if (kNorm)
          square += squares_of[w * S::kRows + row];
      }
      if (kAdapter && tile.low) {
        term.store(tile, tile.feature(part, r), tile.feature(part, r + 8), first_row + row, a, b);
        continue;
      }
      if (kNorm) {
        const float scale = rsqrtf(square / kIn + args.eps);
        a *= scale, b *= scale;
      }
      finish_pair<S, T, Out>(args, tile, tile.feature(part, r), tile.feature(part, r + 8), first_row + row, a, b);
    }
    tile = next;
  }
}

} // namespace maskjit::device
