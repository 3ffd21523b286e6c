// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The next token of a row and its log-probability: kSampleParts blocks a row, the same draw for the same numbers
// whatever stands beside it. model/Sampling.h says what is drawn; this is how.
//
// Flow: each of kSampleParts blocks a row sums up its part of the tokens; the block that is done last draws.
//
// Masses (shares of probability) are integers in units of 2^-40 of the largest one: sums of them have no order, so that
// histograms may be built by atomics and results repeat bit for bit.
//
// Greedy: the largest score. Without filters: the tokens in their order, each as wide as its mass; the point
// u * (all mass) lies in one part, in which it is found by dividing into a segment a warp, and that again. With filters
// the tokens go by falling score instead, ties by rising number, all in the last block: a radix search over the scores'
// depths below the largest finds the token at which a count (top-k) or a mass (top-p, the draw) is reached.
#pragma once
#include "step_rows.cuh"

namespace maskjit::device {

constexpr int kSampleWarps = kSampleThreads / kWarp, kRadixBits = 11, kRadix = 1 << kRadixBits;
constexpr int kBinsEach = kRadix / kSampleThreads;
constexpr float kMassUnit = 1099511627776.f; // 2^40; 2^18 tokens of the largest mass fit into 64 bits
constexpr float kDepthUnit = 33554432.f;     // 2^25 a log2 unit
constexpr u32 kMostDepth = (1u << 31) - 1;   // 64 log2 units: less than a mass's unit

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
    u64 masses[kRadix];
    u64 warps[kSampleWarps];
    float floats[kSampleWarps];
    int numbers[kSampleWarps];
    u64 found_before;
    int found;
  } & shared;

  /// In log2 units of the tempered distribution, penalty included.
  __device__ float score(int token) const {
    float logit = logits[token];
    if (seen && seen[token])
      logit = logit > 0 ? logit / penalty : logit * penalty;
    return __fmul_rn(logit, scale); // never part of an fma: one token's score has the same bits everywhere
  }
  /// How far a score lies below the largest: an order of the tokens whose bits spread them over a histogram.
  __device__ u32 depth(float score) const {
    return static_cast<u32>(fminf((top - score) * kDepthUnit, static_cast<float>(kMostDepth)));
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
    constexpr int kAtOnce = 4; // scores under way
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

  /// The first bin with which the sum of the masses exceeds `target`, or the last with any, and what is before it.
  __device__ void find_bin(u64 target) const {
    __syncthreads(); // the masses are there
    u64 own[kBinsEach], mine = 0;
#pragma unroll
    for (int i = 0; i < kBinsEach; ++i)
      mine += own[i] = shared.masses[threadIdx.x * kBinsEach + i];
    u64 before = mine; // of the warp's lanes up to this one
#pragma unroll
    for (int distance = 1; distance < kWarp; distance *= 2) {
      const u64 lower = __shfl_up_sync(~0u, before, distance);
      before += lane_index() >= distance ? lower : 0;
    }
    const int warp = warp_index();
    if (lane_index() == kWarp - 1)
      shared.warps[warp] = before;
    if (threadIdx.x == 0)
      shared.found = kRadix;
    __syncthreads();
    before -= mine;
    u64 all = 0;
    for (int w = 0; w < kSampleWarps; ++w) {
      before += w < warp ? shared.warps[w] : 0;
      all += shared.warps[w];
    }
    target = min(target, all > 0 ? all - 1 : 0); // rounding may lead past the last mass
#pragma unroll
    for (int i = 0; i < kBinsEach; ++i, before += own[i - 1])
      if (before <= target && target < before + own[i])
        shared.found = threadIdx.x * kBinsEach + i, shared.found_before = before;
    __syncthreads();
  }

  /// Of all tokens by rising depth, the depth of the first with which the sum of `amount(score)` exceeds `target`,
  /// which becomes what is left of it among the tokens of that very depth.
  template <class Amount> __device__ u32 search_by_depth(u64 &target, Amount amount) const {
    u32 prefix = 0, known = 0;             // bits of the answer, and which of them are settled
    constexpr int kShifts[] = {20, 10, 0}; // of 31 bits; the first pass, which sees all tokens, spreads them most
#pragma unroll
    for (int shift : kShifts) {
      const u32 radix = shift == 20 ? 2048 : 1024;
      __syncthreads();
      for (int i = threadIdx.x; i < kRadix; i += kSampleThreads)
        shared.masses[i] = 0;
      __syncthreads();
      each([&](int, float s) {
        const u32 bits = depth(s);
        if ((bits & known) == prefix)
          atomicAdd(reinterpret_cast<unsigned long long *>(&shared.masses[bits >> shift & (radix - 1)]), amount(s));
      });
      find_bin(target);
      target -= shared.found_before;
      prefix |= static_cast<u32>(shared.found) << shift, known |= (radix - 1) << shift;
    }
    return prefix;
  }

  /// The token, by number, that is the `target`-th by `amount` among those of one depth.
  template <class Amount> __device__ int among_equals(u32 at, u64 target, Amount amount) const {
    return search_by_number(target, [&](float s) { return depth(s) == at ? amount(s) : u64(0); });
  }
};

/// The draw with top-k, top-p or min-p.
__device__ inline int draw_filtered(const SampleRow &row, const SampleFilters &filters, double point) {
  u32 deepest = kMostDepth; // tokens below it are out
  int last_equal = row.end; // and of those at it, numbers above this
  auto keep_until = [&](u32 depth, int token) {
    if (depth < deepest || (depth == deepest && token < last_equal))
      deepest = depth, last_equal = token;
  };
  auto kept_mass = [&] {
    u64 x = 0;
    row.each([&](int token, float s) {
      const u32 depth = row.depth(s);
      x += depth < deepest || (depth == deepest && token <= last_equal) ? row.mass(s) : 0;
    });
    return row.sum(x);
  };
  auto one = [](float) { return u64(1); };
  auto mass = [&](float s) { return row.mass(s); };
  if (filters.top_k > 0 && filters.top_k < row.end) {
    u64 rank = filters.top_k - 1;
    const u32 depth = row.search_by_depth(rank, one);
    keep_until(depth, row.among_equals(depth, rank, one));
  }
  if (filters.top_p < 1.f) { // the last kept token is the one with which the mass of what top-k leaves reaches top_p
    u64 target = static_cast<u64>(static_cast<double>(filters.top_p) * static_cast<double>(kept_mass()));
    target = target > 0 ? target - 1 : 0;
    const u32 depth = row.search_by_depth(target, mass);
    keep_until(depth, row.among_equals(depth, target, mass));
  }
  if (filters.min_p > 0.f)
    keep_until(row.depth(row.top + log2f(filters.min_p)), row.end);
  // What is out comes after all that is kept, so the search need not tell them apart.
  u64 target = static_cast<u64>(point * static_cast<double>(kept_mass()));
  const u32 depth = row.search_by_depth(target, mass);
  return row.among_equals(depth, target, mass);
}

/// What the parts come to.
struct SampleTotals {
  float top;
  int number;
  double mass; // in units of the mass of `top`
  __device__ SampleTotals(const SamplePart *parts, bool plain) : top(-kInfinity), number(0), mass(0) {
    for (int p = 0; p < kSampleParts; ++p) { // ascending: of equal scores the first token stays
      const float each = plain ? parts[p].plain_top : parts[p].top;
      if (each > top)
        top = each, number = parts[p].number;
    }
    for (int p = 0; p < kSampleParts; ++p)
      mass += share(parts[p], plain);
  }
  __device__ double share(const SamplePart &part, bool plain) const {
    const float each = plain ? part.plain_top : part.top;
    return each == -kInfinity ? 0. : (plain ? part.plain_mass : part.mass) * exp2f(each - top);
  }
};

/// The token at `point` of all mass, without filters.
__device__ inline int draw_unfiltered(SampleRow row, const SamplePart *parts, const SampleTotals &totals, int part_size,
                                      double point) {
  double target = point * totals.mass;
  int p = 0;
  for (; p + 1 < kSampleParts && target >= totals.share(parts[p], false); ++p)
    target -= totals.share(parts[p], false);
  while (p > 0 && parts[p].mass == 0.)
    --p; // rounding has led past the last mass
  row.begin = min(p * part_size, row.end - 1), row.end = min(row.begin + part_size, row.end), row.top = parts[p].top;
  const double inside = target * exp2f(totals.top - row.top), all = parts[p].mass;
  const u64 units = static_cast<u64>(fmin(inside, all) * kMassUnit), most = static_cast<u64>(all * kMassUnit);
  return row.search_by_number(min(units, most > 0 ? most - 1 : 0), [&](float s) { return row.mass(s); });
}

__device__ inline void sample_rows(const SampleArgs &args) {
  __shared__ SampleRow::Shared shared;
  __shared__ bool last;
  __shared__ SamplePart parts[kSampleParts];
  start_dependents();
  wait_for_earlier();
  const int index = blockIdx.y, position = args.positions[index];
  if (position < 0)
    return;
  const SampleFilters &filters = args.filters;
  const bool greedy = filters.temperature == 0.f;
  const float *const logits = args.logits + static_cast<long long>(index) * args.vocabulary;
  unsigned char *const seen = args.seen ? args.seen + static_cast<long long>(index) * args.vocabulary : nullptr;
  const float scale = kLog2e / (greedy ? 1.f : filters.temperature);
  const int part_size = (args.vocabulary + kSampleParts - 1) / kSampleParts;
  const int begin = min(static_cast<int>(blockIdx.x) * part_size, args.vocabulary);
  SampleRow row = {logits, seen,  filters.repetition_penalty, scale, begin, min(begin + part_size, args.vocabulary),
                   0.f,    shared};

  auto mass_of = [](SampleRow &part) {
    u64 x = 0;
    part.each([&](int, float s) { x += part.mass(s); });
    return static_cast<double>(part.sum(x)) / kMassUnit;
  };
  SamplePart mine = {-kInfinity, -kInfinity, 0, 0., 0.};
  if (row.begin < row.end) { // the same for all threads
    mine.number = row.largest(), mine.top = row.top;
    mine.mass = mass_of(row);
    mine.plain_top = mine.top, mine.plain_mass = mine.mass;
    if (seen) {
      SampleRow plain = row;
      plain.seen = nullptr;
      __syncthreads();
      plain.largest(), mine.plain_top = plain.top;
      mine.plain_mass = mass_of(plain);
    }
  }
  SamplePart *const all = args.parts + index * kSampleParts;
  if (threadIdx.x == 0) {
    all[blockIdx.x] = mine;
    __threadfence();
    last = atomicInc(args.finished + index, kSampleParts - 1) == kSampleParts - 1;
    __threadfence();
  }
  __syncthreads();
  if (!last)
    return;
  if (threadIdx.x < kSampleParts)
    parts[threadIdx.x] = all[threadIdx.x];
  __syncthreads();

  const SampleTotals totals(parts, false), plain(parts, true);
  row.begin = 0, row.end = args.vocabulary, row.top = totals.top;
  int token = totals.number;
  if (!greedy) {
    const double point = uniform(filters.seed, static_cast<u64>(args.sequences[index]), static_cast<u64>(position + 1));
    token = filters.top_k > 0 || filters.top_p < 1.f || filters.min_p > 0.f
                ? draw_filtered(row, filters, point)
                : draw_unfiltered(row, parts, totals, part_size, point);
  }
  if (threadIdx.x == 0) { // log softmax(logits / temperature), without the penalty
    args.log_probs[index] = (logits[token] * scale - plain.top - static_cast<float>(log2(plain.mass))) / kLog2e;
    args.drawn[index] = token;
    args.tokens[index] = token;
    args.written[index] = position + 1;
    if (seen)
      seen[token] = 1;
  }
}

} // namespace maskjit::device
