// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// MXFP4 experts for many tokens: tiles of weight rows times tiles of one expert's tokens. No host decision depends on
// the routing: grids are upper bounds, and blocks past the plan's tiles return.
//
// Flow: experts_route -> experts_gate_up -> h [pairs, intermediate] in pair order -> experts_down -> y [pairs, hidden]
// -> experts_combine. With an
// adapter experts_route also makes the first product's low rows, and experts_low, before experts_down, the second's;
// the products add the second factors to their sums. The product is transposed: A = weight rows, B = tokens. Since rows
// of A may be any weight rows, a lane gets gate and up of one feature (rows g and g + 8), and a warp the eight features
// that are neighbours in pair order. Include a product first: experts/product.cuh, or experts/product_sm90.cuh.
#pragma once
#include "experts/adapter.cuh"
#include "experts/stages.cuh"

namespace maskjit::device {

/// The dynamic shared memory from its first multiple of 1024 bytes, wgmma's alignment.
__device__ inline u32 experts_ring() {
  extern __shared__ char experts_shared[];
  return (shared_address(experts_shared) + 1023u) & ~1023u;
}

/// A tile of results on its way to memory: [kTokens][16-bit elements], rows of `row_bytes`.
__device__ inline void store_two(u32 at, int token, int element, int row_bytes, u32 pair) {
  shared_write_u16(at + token * row_bytes + element * 2, pair);
  shared_write_u16(at + (token + 1) * row_bytes + element * 2, pair >> 16);
}
/// Rows of `pieces` 16-byte pieces, those that exist, to `row(n)`.
template <int kThreads, class Row>
__device__ void write_rows(u32 from, int tokens, int pieces, int row_bytes, Row row) {
  for (int i = threadIdx.x; i < tokens * pieces; i += kThreads) {
    const int n = i / pieces, c = i % pieces;
    reinterpret_cast<uint4 *>(row(n))[c] = shared_read(from + n * row_bytes + c * 16);
  }
}

/// Calls `work` with the narrowest schedule that holds the tile.
template <class S, class Work> __device__ void with_narrowest(const ExpertTile &tile, Work work) {
  if constexpr (S::kNarrow)
    if (tile.count <= S::Narrow::kTokens)
      return with_narrowest<typename S::Narrow>(tile, work);
  work(S(), tile);
}
/// The same for the block's tile; a block without one does nothing.
template <class S, class Work> __device__ void with_tile(const ExpertPlan *plan, Work work) {
  start_dependents();
  wait_for_earlier();
  if (static_cast<int>(blockIdx.y) >= plan->tiles)
    return;
  with_narrowest<S>(plan->tile[blockIdx.y], work);
}

template <class S, class T> __device__ void gate_up_tile(const ExpertsArgs &a, const ExpertTile &tile) {
  using Shape = typename S::Shape;
  const u32 ring = experts_ring();
  const int rows = min(S::kRows, 2 * Shape::kIntermediate - static_cast<int>(blockIdx.x) * S::kRows);
  const long long first_row = static_cast<long long>(tile.expert) * 2 * Shape::kIntermediate + blockIdx.x * S::kRows;
  // Row g of row tile w: gate of the feature at position 8 (w & 3) + g of its 32 in pair order; row g + 8: its up.
  auto feature_of = [](int w, int g) { return (w >> 2) * 32 + 8 * (g >> 1) + (w & 3) + 4 * (g & 1); };
  auto weight_row = [&](int r) { return 2 * feature_of(r >> 4, r & 7) + ((r >> 3) & 1); };
  if (a.gate_up_adapter.a)
    fetch_factor<S>(a.gate_up_adapter, a.adapter_rank, first_row, rows, weight_row);
  float acc[S::kRowTiles][S::kTokens / 8][4];
  experts_product<S, T, Shape::kHidden>(
      acc, ring, a.gate_up.blocks, a.gate_up.scales, first_row, rows, tile.count, weight_row, [&](int n) {
        return static_cast<const u16 *>(a.x_pairs) +
               static_cast<long long>(a.sorted[tile.first + n] / Shape::kTopK) * Shape::kHidden;
      });
  if (a.gate_up_adapter.a)
    add_adapter<S, T>(acc, a.gate_up_adapter, a.adapter_rank, first_row, rows, tile.count, weight_row,
                      [&](int n) { return a.sorted[tile.first + n]; });

  constexpr int kRowBytes = S::kRows + 16; // half as many features; + 16: neighbours in different banks
  const int lane = lane_index(), warp = warp_index(), g = lane >> 2, t = lane & 3;
#pragma unroll
  for (int m = 0; m < S::kRowTiles; ++m) {
    const int w = warp * S::kRowTiles + m;
    const u32 bias = *reinterpret_cast<const u32 *>(static_cast<const u16 *>(a.gate_up.bias) + first_row +
                                                    min(2 * feature_of(w, g), rows - 2));
    const float gate = low_half<T>(bias), up = high_half<T>(bias);
#pragma unroll
    for (int j = 0; j < S::kTokens / 8; ++j) {
      const float (&d)[4] = acc[m][j];
      store_two(ring, 8 * j + 2 * t, w * 8 + g, kRowBytes,
                pack_finite<T>(clamped_swiglu(d[0] + gate, d[2] + up, a.alpha, a.limit),
                               clamped_swiglu(d[1] + gate, d[3] + up, a.alpha, a.limit)));
    }
  }
  __syncthreads();
  write_rows<S::kThreads>(ring, tile.count, rows / 16, kRowBytes, [&](int n) {
    return static_cast<u16 *>(a.h) + static_cast<long long>(tile.first + n) * Shape::kIntermediate +
           blockIdx.x * (S::kRows / 2);
  });
}

/// Grid (2 * intermediate / kRows rounded up, upper bound of tiles).
template <class S, class T> __device__ void experts_gate_up(const ExpertsArgs &a) {
  with_tile<S>(a.plan, [&](auto schedule, const ExpertTile &tile) { gate_up_tile<decltype(schedule), T>(a, tile); });
}

template <class S, class T, int kMatrixRows, int kColumns, class TokenRow, class OutRow>
__device__ void matrix_tile(const ExpertTile &tile, const Mxfp4Stack &matrix, TokenRow token_row, OutRow out_row,
                            const ExpertsAdapter &adapter, int rank) {
  const u32 ring = experts_ring();
  const int rows = min(S::kRows, kMatrixRows - static_cast<int>(blockIdx.x) * S::kRows);
  const long long first_row = static_cast<long long>(tile.expert) * kMatrixRows + blockIdx.x * S::kRows;
  if (adapter.a)
    fetch_factor<S>(adapter, rank, first_row, rows, [](int r) { return r; });
  float acc[S::kRowTiles][S::kTokens / 8][4];
  experts_product<S, T, kColumns>(
      acc, ring, matrix.blocks, matrix.scales, first_row, rows, tile.count, [](int r) { return r; },
      [&](int n) { return token_row(tile.first + n); });
  if (adapter.a)
    add_adapter<S, T>(
        acc, adapter, rank, first_row, rows, tile.count, [](int r) { return r; },
        [&](int n) { return tile.first + n; });

  constexpr int kRowBytes = S::kRows * 2 + 16;
  const int lane = lane_index(), warp = warp_index(), g = lane >> 2, t = lane & 3;
  const u16 *bias = static_cast<const u16 *>(matrix.bias) + first_row;
#pragma unroll
  for (int m = 0; m < S::kRowTiles; ++m) {
    const int row = (warp * S::kRowTiles + m) * 16 + g;
    const float low = matrix.bias && row < rows ? low_half<T>(bias[row]) : 0.f;
    const float high = matrix.bias && row + 8 < rows ? low_half<T>(bias[row + 8]) : 0.f;
#pragma unroll
    for (int j = 0; j < S::kTokens / 8; ++j) {
      const float (&d)[4] = acc[m][j];
      store_two(ring, 8 * j + 2 * t, row, kRowBytes, pack_finite<T>(d[0] + low, d[1] + low));
      store_two(ring, 8 * j + 2 * t, row + 8, kRowBytes, pack_finite<T>(d[2] + high, d[3] + high));
    }
  }
  __syncthreads();
  write_rows<S::kThreads>(ring, tile.count, rows / 8, kRowBytes,
                          [&](int n) { return out_row(tile.first + n) + blockIdx.x * S::kRows; });
}

/// One matrix of an expert times its tokens: `token_row(n)` in pair order in, `out_row(n)` in natural order out, bias
/// added; an adapter's low rows are those of the sorted pairs. Grid (kMatrixRows / kRows rounded up, upper bound of
/// tiles).
template <class S, class T, int kMatrixRows, int kColumns, class TokenRow, class OutRow>
__device__ void experts_matrix(const ExpertPlan *plan, const Mxfp4Stack &matrix, TokenRow token_row, OutRow out_row,
                               const ExpertsAdapter &adapter = {}, int rank = 0) {
  with_tile<S>(plan, [&](auto schedule, const ExpertTile &tile) {
    matrix_tile<decltype(schedule), T, kMatrixRows, kColumns>(tile, matrix, token_row, out_row, adapter, rank);
  });
}

/// y by pair, not weighted.
template <class S, class T> __device__ void experts_down(const ExpertsArgs &a) {
  using Shape = typename S::Shape;
  experts_matrix<S, T, Shape::kHidden, Shape::kIntermediate>(
      a.plan, a.down,
      [&](int p) { return static_cast<const u16 *>(a.h) + static_cast<long long>(p) * Shape::kIntermediate; },
      [&](int p) { return static_cast<u16 *>(a.y) + static_cast<long long>(a.sorted[p]) * Shape::kHidden; },
      a.down_adapter, a.adapter_rank);
}

} // namespace maskjit::device
