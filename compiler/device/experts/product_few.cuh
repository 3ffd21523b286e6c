// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The grouped product for tiles of few tokens, where instructions and bytes count and arithmetic does not: weights go
// from global memory to registers, and a tile's tokens lie in shared memory as a whole, so that the loop has no
// barrier.
//
// The order of the summed features is free as long as both operands of mma agree. Lane (g, t) takes a whole block of 32
// weights, 16 bytes and one scale, of rows g and g + 8, four blocks of a row a step, and the same features of token g.
//
// Tokens in shared memory: rows of lines of 128 bytes, two blocks each. Chunk c of line l of token n is at
// c ^ (l & 1) ^ 2 (n & 1): what eight lanes read at a time lies in different banks.
#pragma once
#include "experts/stages.cuh"

namespace maskjit::device {

/// Not L1::no_allocate: what is asked for so is also the first that the L2 cache gives up, and the rest of its line,
/// which the next step reads, would come from memory twice.
__device__ inline uint4 read_weights(const u8 *from) {
  uint4 v;
  asm("ld.global.nc.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(from));
  return v;
}

/// The tokens that exist, and the scales of the tile's rows, into shared memory.
template <class S, int kColumns, class TokenRow>
__device__ void copy_tokens_and_scales(u32 tokens_at, u32 scales_at, const u8 *scales, int rows, int tokens,
                                       TokenRow token_row) {
  using Arch = typename S::Arch;
  constexpr int kChunks = kColumns / 8, kRowBytes = experts_few_row_bytes(kColumns);
  for (int i = threadIdx.x; i < tokens * kChunks; i += S::kThreads) {
    const int n = i / kChunks, c = i % kChunks;
    copy_async(tokens_at + n * kRowBytes + (c ^ ((c >> 3) & 1) ^ (n & 1) << 1) * 16, token_row(n) + c * 8, true);
  }
  for (int i = threadIdx.x; i < rows * (kColumns / 32) / 16; i += S::kThreads)
    copy_async(scales_at + i * 16, scales + i * 16, true);
  copy_commit<Arch>();
}

/// As experts_product of experts/product.cuh.
template <class S, class T, int kColumns, class WeightRow, class TokenRow>
__device__ void experts_product(float (&acc)[1][S::kTokens / 8][4], u32 ring, const u8 *blocks, const u8 *scales,
                                long long first_row, int rows, int tokens, WeightRow weight_row, TokenRow token_row) {
  using Arch = typename S::Arch;
  constexpr int kBlocks = kColumns / 32, kWhole = kBlocks / 4, kRest = kBlocks % 4, kSteps = kWhole + (kRest != 0);
  constexpr int kAhead = S::kAhead, kGroups = S::kTokens / 8, kRowBytes = experts_few_row_bytes(kColumns);
  static_assert(kWhole >= kAhead);
  const int lane = lane_index(), g = lane >> 2, t = lane & 3, a_row = warp_index() * 16 + g;
  const int low_row = min(weight_row(a_row), rows - 1), high_row = min(weight_row(a_row + 8), rows - 1);
  const u8 *low_from = blocks + ((first_row + low_row) * kBlocks + t) * 16;
  const u8 *high_from = blocks + ((first_row + high_row) * kBlocks + t) * 16;
  const bool behind = kRest && t >= kRest; // the last step has no block for this lane: it repeats one, times 0
  uint4 low[kAhead], high[kAhead];
  auto load = [&](int s, int ahead, bool last) {
    const int offset = (last && behind ? ahead - 1 : ahead) * 64;
    low[s] = read_weights(low_from + offset);
    high[s] = read_weights(high_from + offset);
  };
#pragma unroll
  for (int s = 0; s < kAhead; ++s)
    load(s, s, false);

  const u32 scales_at = ring + S::kTokens * kRowBytes;
  copy_tokens_and_scales<S, kColumns>(ring, scales_at, scales + first_row * kBlocks, rows, tokens, token_row);
#pragma unroll
  for (int j = 0; j < kGroups; ++j)
#pragma unroll
    for (int k = 0; k < 4; ++k)
      acc[0][j][k] = 0.f;
  u32 low_scale = scales_at + low_row * kBlocks + t, high_scale = scales_at + high_row * kBlocks + t;
  u32 x_at[4]; // pair i of the four words of the lane's block
#pragma unroll
  for (int i = 0; i < 4; ++i)
    x_at[i] = ring + g * kRowBytes + (t >> 1) * 128 + ((t & 1) * 4 + (i ^ (t >> 1) ^ (g & 1) << 1)) * 16;
  copy_wait<Arch, 0>();
  __syncthreads();

  auto multiply = [&](const uint4 &low, const uint4 &high, u32 low_factor, u32 high_factor, int x_offset) {
    const u32 w[4] = {low.x, low.y, low.z, low.w}, v[4] = {high.x, high.y, high.z, high.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      uint4 x[kGroups];
#pragma unroll
      for (int j = 0; j < kGroups; ++j)
        x[j] = shared_read(x_at[i] + j * (8 * kRowBytes) + x_offset);
#pragma unroll
      for (int k = 0; k < 4; k += 2) { // pair i of two words
        const u32 a[4] = {mxfp4_decode<T>(w[k], low_factor).p[i], mxfp4_decode<T>(v[k], high_factor).p[i],
                          mxfp4_decode<T>(w[k + 1], low_factor).p[i], mxfp4_decode<T>(v[k + 1], high_factor).p[i]};
#pragma unroll
        for (int j = 0; j < kGroups; ++j)
          mma<Arch, T>(acc[0][j], a, k ? x[j].z : x[j].x, k ? x[j].w : x[j].y);
      }
    }
  };
#pragma unroll 1
  for (int first = 0; first < kWhole; first += kAhead) { // one turn of the registers
#pragma unroll
    for (int s = 0; s < kAhead; ++s) {
      if (kWhole % kAhead && first + s >= kWhole)
        break;
      multiply(low[s], high[s], mxfp4_factor<T>(shared_read_byte(low_scale + 4 * s)),
               mxfp4_factor<T>(shared_read_byte(high_scale + 4 * s)), 256 * s);
      if (const int next = first + s + kAhead; next < kSteps)
        load(s, s + kAhead, next == kWhole);
    }
    low_from += 64 * kAhead, high_from += 64 * kAhead, low_scale += 4 * kAhead, high_scale += 4 * kAhead;
#pragma unroll
    for (int i = 0; i < 4; ++i)
      x_at[i] += 256 * kAhead;
  }
  if constexpr (kRest != 0) {
    constexpr int s = kWhole % kAhead, kPast = s ? s - kAhead : 0; // the round's addresses are one too far
    const int back = behind ? kPast - 1 : kPast;
    multiply(low[s], high[s], behind ? 0u : mxfp4_factor<T>(shared_read_byte(low_scale + static_cast<u32>(4 * kPast))),
             behind ? 0u : mxfp4_factor<T>(shared_read_byte(high_scale + static_cast<u32>(4 * kPast))), 256 * back);
  }
  __syncthreads();
}

} // namespace maskjit::device
