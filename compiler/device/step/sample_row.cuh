// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a block does with the tokens of a row that it looks at: their scores and masses, sums, the largest, and the
// random number of a draw.
//
// Masses (shares of probability) are integers in units of 2^-40 of the largest one: sums of them have no order, so that
// they may be added by atomics and results repeat bit for bit.
#pragma once
#include "step/rows.cuh"

namespace maskjit::device {

constexpr int kSampleWarps = kSampleThreads / kWarp;
constexpr float kMassUnit = 1099511627776.f; // 2^40; 2^18 tokens of the largest mass fit into 64 bits

struct Philox {
  u32 words[4];
};
/// Philox 4x32-10 (Salmon et al. 2011).
__device__ inline Philox philox(u32 x0, u32 x1, u32 x2, u32 x3, u32 key0, u32 key1) {
  constexpr u32 kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57, kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const u32 high0 = __umulhi(kMultiplier0, x0), low0 = kMultiplier0 * x0;
    const u32 high1 = __umulhi(kMultiplier1, x2), low1 = kMultiplier1 * x2;
    x0 = high1 ^ x1 ^ key0, x1 = low1, x2 = high0 ^ x3 ^ key1, x3 = low0;
    key0 += kWeyl0, key1 += kWeyl1;
  }
  return {{x0, x1, x2, x3}};
}
/// Uniform in [0, 1), 53 bits, of (seed, sequence, position).
__device__ inline double uniform(u64 seed, u64 sequence, u64 position) {
  const Philox bits = philox(static_cast<u32>(position), static_cast<u32>(position >> 32), static_cast<u32>(sequence),
                             static_cast<u32>(sequence >> 32), static_cast<u32>(seed), static_cast<u32>(seed >> 32));
  return static_cast<double>(static_cast<u64>(bits.words[0]) << 21 ^ bits.words[1] >> 11) * 0x1p-53;
}

/// Some of a row's tokens, their scores, and sums over the block. Every thread of the block calls every function.
struct SampleRow {
  const float *logits;
  const unsigned char *seen; // null: no penalty
  float penalty, scale;      // scale: log2(e) / temperature
  int begin, end;            // tokens that are looked at
  float top;                 // the largest score of them
  struct Shared {
    u64 warps[kSampleWarps];
    float floats[kSampleWarps];
    int numbers[kSampleWarps];
  } & shared;

  /// In log2 units of the tempered distribution, penalty included.
  __device__ float score(int token) const {
    float logit = logits[token];
    if (seen && seen[token])
      logit = logit > 0 ? logit / penalty : logit * penalty;
    return __fmul_rn(logit, scale); // never part of an fma: one token's score has the same bits everywhere
  }
  __device__ u64 mass(float score) const { return static_cast<u64>(exp2f(score - top) * kMassUnit); }

  /// Tokens begin .. end, ascending in each thread. A block alone reads as fast as its loads under way let it.
  template <class Visit> __device__ void each(Visit visit) const {
    if (!seen && begin % 4 == 0 && end % 4 == 0 && reinterpret_cast<u64>(logits) % 16 == 0) {
      constexpr int kAtOnce = 4;
      const float4 *const rows = reinterpret_cast<const float4 *>(logits);
      for (int first = begin / 4 + threadIdx.x; first < end / 4; first += kAtOnce * kSampleThreads) {
        float4 four[kAtOnce];
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i)
          four[i] = rows[min(first + i * kSampleThreads, end / 4 - 1)];
#pragma unroll
        for (int i = 0; i < kAtOnce; ++i)
          if (const int token = 4 * (first + i * kSampleThreads); token < end) {
            visit(token, __fmul_rn(four[i].x, scale)), visit(token + 1, __fmul_rn(four[i].y, scale));
            visit(token + 2, __fmul_rn(four[i].z, scale)), visit(token + 3, __fmul_rn(four[i].w, scale));
          }
      }
      return;
    }
    each_at_once<4>(visit);
  }

  /// The same with kAtOnce scores under way in a thread: few where visiting takes registers.
  template <int kAtOnce, class Visit> __device__ void each_at_once(Visit visit) const {
    for (int first = begin + threadIdx.x; first < end; first += kAtOnce * kSampleThreads) {
      float s[kAtOnce];
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i)
        s[i] = score(min(first + i * kSampleThreads, end - 1));
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i)
        if (first + i * kSampleThreads < end)
          visit(first + i * kSampleThreads, s[i]);
    }
  }

  __device__ u64 sum(u64 x) const {
#pragma unroll
    for (int other = 1; other < kWarp; other *= 2)
      x += __shfl_xor_sync(~0u, x, other);
    __syncthreads();               // whoever still reads the sums before
    const int warp = warp_index(); // by a shuffle: of all lanes
    if (lane_index() == 0)
      shared.warps[warp] = x;
    __syncthreads();
    u64 total = 0;
    for (int w = 0; w < kSampleWarps; ++w)
      total += shared.warps[w];
    return total;
  }

  /// The token of the largest score, of equal ones the first; sets `top`.
  __device__ int largest() {
    float best = -kInfinity;
    int number = end;
    each([&](int token, float score) {
      if (score > best)
        best = score, number = token; // ascending tokens: the first stays
    });
    auto take = [&](float value, int from) {
      if (value > best || (value == best && from < number))
        best = value, number = from;
    };
#pragma unroll
    for (int other = 1; other < kWarp; other *= 2) {
      const float value = __shfl_xor_sync(~0u, best, other);
      take(value, __shfl_xor_sync(~0u, number, other));
    }
    const int warp = warp_index();
    if (lane_index() == 0)
      shared.floats[warp] = best, shared.numbers[warp] = number;
    __syncthreads();
    for (int w = 0; w < kSampleWarps; ++w)
      take(shared.floats[w], shared.numbers[w]);
    top = best;
    return min(number, end - 1);
  }

  /// The first token, by number, with which the sum of `amount(score)` exceeds `target`, which is below the whole sum.
  template <class Amount> __device__ int search_by_number(u64 target, Amount amount) const {
    int at = begin, size = end - begin;
    while (true) {
      const int part = (size + kSampleWarps - 1) / kSampleWarps, warp = warp_index(), first = at + warp * part;
      u64 x = 0;
      for (int i = lane_index(); i < part; i += kWarp) {
        const int token = first + i;
        if (token < min(at + size, end))
          x += amount(score(token));
      }
#pragma unroll
      for (int other = 1; other < kWarp; other *= 2)
        x += __shfl_xor_sync(~0u, x, other);
      __syncthreads();
      if (lane_index() == 0)
        shared.warps[warp] = x;
      __syncthreads();
      int w = 0;
      while (w + 1 < kSampleWarps && target >= shared.warps[w])
        target -= shared.warps[w], ++w;
      at += w * part, size = part;
      if (part == 1)
        return at;
    }
  }
};

} // namespace maskjit::device
