// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Draws with top-k, top-p or min-p: all blocks of a row search its tokens together.
//
// Tokens go by falling score, of equal scores by rising number. Their place in that order is a key: the depth of the
// score below the largest, then the number. A search finds the token at which a count (top-k) or a mass (top-p, the
// draw) is reached, a digit of the key at a time: a block adds up its tokens by their next digit, adds that to the
// row's histogram and waits for the other blocks; then every block finds the same bin. A bin with one token ends the
// search: mostly the second. All searches share the first histogram.
#pragma once
#include "step/sample_row.cuh"

namespace maskjit::device {

constexpr int kDigitBits = 11, kDepthBits = 31, kNumberBits = 22, kKeyBits = kDepthBits + kNumberBits;
constexpr float kDepthUnit = 33554432.f; // 2^25 a log2 unit: at 64 of these a mass is less than its unit
constexpr int kBinsEach = kSearchBins / kSampleThreads;
static_assert(kSearchBins == 1 << kDigitBits && kBinsEach * kSampleThreads == kSearchBins, "two bins a thread");

/// The tokens whose keys begin with `prefix`, which ends `shift` bits before the key does: one token, once found.
struct KeyPrefix {
  u64 prefix;
  int shift;
  __device__ bool begins(u64 key) const { return key >> shift == prefix; }
  __device__ u64 last() const { return ((prefix + 1) << shift) - 1; }
};

class RowSearch {
public:
  struct Shared {
    u32 low[kSearchBins], high[kSearchBins]; // of the masses
    u32 counts[kSearchBins];
    u64 masses_of[kSampleWarps];
    u32 counts_of[kSampleWarps];
    int bin;
    u64 mass_before, mass;
    u32 count_before, count;
  };

  /// `row`: this block's part of the tokens, its `top` the largest score of all parts.
  __device__ RowSearch(const SampleRow &row, SampleSearch &of_row, Shared &shared, int part, int parts)
      : row(row), of_row(of_row), shared(shared), part(part), parts(parts) {}

  /// Waits until every block of the row has come here; what they wrote before can be read from the L2 cache.
  __device__ void meet() {
    __syncthreads();
    goal += parts;
    if (threadIdx.x == 0) {
      __threadfence();
      atomicAdd(&of_row.arrived, 1u);
      u32 now;
      do
        asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(now) : "l"(&of_row.arrived) : "memory");
      while (now < goal);
    }
    __syncthreads();
  }

  /// Before any search.
  __device__ void begin() { first = histogram({0, kKeyBits}, kKeyBits - kDigitBits); }

  /// The `rank`-th token, from 0; `mass` becomes what it and all before it have.
  __device__ KeyPrefix by_count(u64 rank, u64 &mass) { return find(rank, true, mass); }
  /// The first token with which the sum of masses exceeds `target`, or the last with any mass; without any mass the
  /// first. `mass` becomes that sum.
  __device__ KeyPrefix by_mass(u64 target, u64 &mass) { return find(target, false, mass); }

  /// The mass of tokens up to `last`; once a launch.
  __device__ u64 mass_until(u64 last) {
    u64 x = 0;
    row.each_at_once<2>([&](int token, float s) { x += key(token, s) <= last ? mass(s) : 0; });
    x = row.sum(x);
    if (threadIdx.x == 0)
      atomicAdd(&of_row.kept, x);
    meet();
    return __ldcg(&of_row.kept);
  }
  __device__ u64 all_mass() const { return row.sum(first.mass[0] + first.mass[1]); }

  /// How far a score lies below the largest. One that is no number lies at the top, with the largest mass, so that it
  /// shows in the log-probability.
  __device__ u64 depth(float score) const {
    const float below = row.top - score;
    return below >= 0.f ? min(static_cast<u32>(fminf(below * kDepthUnit, 2147483648.f)), (1u << kDepthBits) - 1) : 0;
  }
  __device__ u64 key(int token, float score) const { return depth(score) << kNumberBits | static_cast<u32>(token); }
  __device__ u64 mass(float score) const {
    return static_cast<u64>((row.top - score >= 0.f ? exp2f(score - row.top) : 1.f) * kMassUnit);
  }

  /// The block that leaves last cleans up for the next launch.
  __device__ void leave() {
    __syncthreads();
    if (threadIdx.x == 0) {
      __threadfence();
      shared.bin = atomicInc(&of_row.left, parts - 1) == parts - 1;
      __threadfence();
    }
    __syncthreads();
    if (!shared.bin)
      return;
    for (SampleHistogram &h : of_row.histograms)
      for (int i = threadIdx.x; i < kSearchBins; i += kSampleThreads)
        h.masses[i] = 0, h.counts[i] = 0;
    if (threadIdx.x == 0)
      of_row.arrived = 0, of_row.kept = 0;
  }

private:
  /// This thread's bins of a row's histogram.
  struct Bins {
    u64 mass[kBinsEach];
    u32 count[kBinsEach];
  };

  /// Tokens that begin with `known`, by the digit of their keys that ends at `shift`, over all blocks.
  __device__ Bins histogram(KeyPrefix known, int shift) {
    for (int i = threadIdx.x; i < kSearchBins; i += kSampleThreads)
      shared.low[i] = 0, shared.high[i] = 0, shared.counts[i] = 0;
    __syncthreads();
    row.each_at_once<2>([&](int token, float s) {
      const u64 k = key(token, s);
      if (!known.begins(k))
        return;
      const int bin = static_cast<int>(k >> shift) & (kSearchBins - 1);
      const u64 m = mass(s); // 64-bit additions in shared memory would be loops of compare and swap
      const u32 low = static_cast<u32>(m), before = atomicAdd(&shared.low[bin], low);
      const u32 high = static_cast<u32>(m >> 32) + (before + low < low);
      if (high)
        atomicAdd(&shared.high[bin], high);
      atomicAdd(&shared.counts[bin], 1u);
    });
    __syncthreads();
    // Three take turns: the next one was read last before the blocks met last.
    SampleHistogram &here = of_row.histograms[used % kSearchHistograms],
                    &next = of_row.histograms[(used + 1) % kSearchHistograms];
    ++used;
    for (int i = threadIdx.x; i < kSearchBins; i += kSampleThreads)
      if (const u32 count = shared.counts[i]) {
        atomicAdd(&here.masses[i], static_cast<u64>(shared.high[i]) << 32 | shared.low[i]);
        atomicAdd(&here.counts[i], count);
      }
    for (int i = part * kSampleThreads + threadIdx.x; i < kSearchBins; i += parts * kSampleThreads)
      next.masses[i] = 0, next.counts[i] = 0;
    meet();
    Bins bins;
#pragma unroll
    for (int i = 0; i < kBinsEach; ++i) {
      bins.mass[i] = __ldcg(&here.masses[threadIdx.x * kBinsEach + i]);
      bins.count[i] = __ldcg(&here.counts[threadIdx.x * kBinsEach + i]);
    }
    return bins;
  }

  /// The bin at which a count or a mass exceeds `target`, and the sums before it: into shared memory.
  __device__ void find_bin(const Bins &bins, u64 target, bool by_count) const {
    u64 mass = bins.mass[0] + bins.mass[1];
    u32 count = bins.count[0] + bins.count[1];
    const u64 own_mass = mass;
    const u32 own_count = count;
    static_assert(kBinsEach == 2, "summed above");
    auto scan = [&](u64 &m, u32 &c) { // inclusive, over a warp
#pragma unroll
      for (int distance = 1; distance < kWarp; distance *= 2) {
        const u64 lower = __shfl_up_sync(~0u, m, distance);
        const u32 fewer = __shfl_up_sync(~0u, c, distance);
        if (lane_index() >= distance)
          m += lower, c += fewer;
      }
    };
    scan(mass, count);
    const int warp = warp_index();
    __syncthreads(); // whoever still reads what was found before
    if (lane_index() == kWarp - 1)
      shared.masses_of[warp] = mass, shared.counts_of[warp] = count;
    __syncthreads();
    u64 warp_mass = shared.masses_of[lane_index()];
    u32 warp_count = shared.counts_of[lane_index()];
    static_assert(kSampleWarps == kWarp, "a lane a warp");
    scan(warp_mass, warp_count);
    const u64 all_mass = __shfl_sync(~0u, warp_mass, kWarp - 1);
    const u32 all_count = __shfl_sync(~0u, warp_count, kWarp - 1);
    const u64 mass_below = __shfl_sync(~0u, warp_mass, max(warp - 1, 0));
    const u32 count_below = __shfl_sync(~0u, warp_count, max(warp - 1, 0));
    mass = mass - own_mass + (warp > 0 ? mass_below : 0), count = count - own_count + (warp > 0 ? count_below : 0);
    if (!by_count && all_mass == 0)
      by_count = true, target = 0;
    target = min(target, (by_count ? all_count : all_mass) - 1); // rounding may lead past the last mass
#pragma unroll
    for (int i = 0; i < kBinsEach; ++i) {
      const u64 before = by_count ? count : mass, here = by_count ? bins.count[i] : bins.mass[i];
      if (before <= target && target < before + here) {
        shared.bin = threadIdx.x * kBinsEach + i;
        shared.mass_before = mass, shared.mass = bins.mass[i], shared.count_before = count,
        shared.count = bins.count[i];
      }
      mass += bins.mass[i], count += bins.count[i];
    }
    __syncthreads();
  }

  __device__ KeyPrefix find(u64 target, bool by_count, u64 &mass) {
    KeyPrefix at = {0, kKeyBits};
    mass = 0;
    for (int step = kDigitBits;; step = min(kDigitBits, at.shift)) {
      find_bin(at.shift == kKeyBits ? first : histogram(at, at.shift - step), target, by_count);
      at.prefix = at.prefix << step | (static_cast<u32>(shared.bin) & ((1u << step) - 1)), at.shift -= step;
      const u64 before = by_count ? shared.count_before : shared.mass_before;
      target -= min(target, before), mass += shared.mass_before;
      if (shared.count == 1 || at.shift == 0)
        break;
    }
    mass += shared.mass;
    return at;
  }

  const SampleRow &row;
  SampleSearch &of_row;
  Shared &shared;
  const int part, parts;
  Bins first;
  int used = 0; // histograms
  u32 goal = 0; // arrivals when all have come to where they meet next
};

/// The token that is drawn: the only one whose key begins so.
__device__ inline KeyPrefix draw_filtered(RowSearch &search, const SampleRow &row, const SampleFilters &filters,
                                          int vocabulary, u64 all_mass, double point) {
  u64 kept = all_mass, last = ~0ull; // of the tokens that stay: their mass, the last one's key
  if (filters.top_k > 0 && filters.top_k < vocabulary)
    last = search.by_count(filters.top_k - 1, kept).last();
  if (filters.top_p < 1.f) { // the token with which the mass of what top-k leaves reaches top_p is the last
    const u64 target = static_cast<u64>(static_cast<double>(filters.top_p) * static_cast<double>(kept));
    last = min(last, search.by_mass(target > 0 ? target - 1 : 0, kept).last());
  }
  if (filters.min_p > 0.f) {
    const u64 least = search.key(0, row.top + log2f(filters.min_p)) | ((1u << kNumberBits) - 1);
    if (least < last)
      kept = search.mass_until(least);
  }
  // What is out comes after all that is kept, so the search need not tell them apart.
  return search.by_mass(static_cast<u64>(point * static_cast<double>(kept)), kept);
}

} // namespace maskjit::device
