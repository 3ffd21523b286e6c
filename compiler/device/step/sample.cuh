// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The next token of a row and its log-probability: kSampleParts blocks a row at most, the same draw for the same
// numbers whatever stands beside it. model/Sampling.h says what is drawn; this is how.
//
// Flow: each block sums up its part of a row's tokens; the block that is done last draws. Greedy: the largest score.
// Without filters: the tokens in their order, each as wide as its mass; the point u * (all mass) lies in one part, in
// which it is found by dividing into a segment a warp, and that again. With filters no block is done before the token
// is found: they go on together, see step/sample_search.cuh.
#pragma once
#include "step/sample_search.cuh"

namespace maskjit::device {

/// What the parts come to.
struct SampleTotals {
  float top;
  int number;
  double mass; // in units of the mass of `top`
  __device__ SampleTotals(const SamplePart *parts, int count, bool plain) : top(-kInfinity), number(0), mass(0) {
    for (int p = 0; p < count; ++p) { // ascending: of equal scores the first token stays
      const float each = plain ? parts[p].plain_top : parts[p].top;
      if (each > top)
        top = each, number = parts[p].number;
    }
    for (int p = 0; p < count; ++p)
      mass += share(parts[p], plain);
  }
  __device__ double share(const SamplePart &part, bool plain) const {
    const float each = plain ? part.plain_top : part.top;
    return each == -kInfinity ? 0. : (plain ? part.plain_mass : part.mass) * exp2f(each - top);
  }
};

/// The token at `point` of all mass, without filters.
__device__ inline int draw_unfiltered(SampleRow row, const SamplePart *parts, int count, const SampleTotals &totals,
                                      int part_size, double point) {
  double target = point * totals.mass;
  int p = 0;
  for (; p + 1 < count && target >= totals.share(parts[p], false); ++p)
    target -= totals.share(parts[p], false);
  while (p > 0 && parts[p].mass == 0.)
    --p; // rounding has led past the last mass
  row.begin = min(p * part_size, row.end - 1), row.end = min(row.begin + part_size, row.end), row.top = parts[p].top;
  const double inside = target * exp2f(totals.top - row.top), all = parts[p].mass;
  const u64 units = static_cast<u64>(fmin(inside, all) * kMassUnit), most = static_cast<u64>(all * kMassUnit);
  return row.search_by_number(min(units, most > 0 ? most - 1 : 0), [&](float s) { return row.mass(s); });
}

__device__ inline bool is_filtered(const SampleFilters &filters) {
  return filters.temperature != 0.f && (filters.top_k > 0 || filters.top_p < 1.f || filters.min_p > 0.f);
}

__device__ inline void sample_rows(const SampleArgs &args) {
  __shared__ SampleRow::Shared shared;
  __shared__ RowSearch::Shared search_shared;
  __shared__ int ticket;
  __shared__ bool last;
  __shared__ SamplePart parts[kSampleParts];
  start_dependents();
  wait_for_earlier();
  const SampleFilters &filters = args.filters;
  const bool filtered = is_filtered(filters), greedy = filters.temperature == 0.f;
  const int count = gridDim.x; // parts of a row
  int index = blockIdx.y, part = blockIdx.x;
  if (filtered) { // blocks of a row wait for each other: rows go to blocks in the order in which those begin
    if (threadIdx.x == 0)
      ticket = atomicInc(&args.search->tickets, gridDim.x * gridDim.y - 1);
    __syncthreads();
    index = ticket / count, part = ticket % count;
  }
  const int position = args.positions[index];
  if (position < 0)
    return;
  const float *const logits = args.logits + static_cast<long long>(index) * args.vocabulary;
  unsigned char *const seen = args.seen ? args.seen + static_cast<long long>(index) * args.vocabulary : nullptr;
  const float scale = kLog2e / (greedy ? 1.f : filters.temperature);
  const int part_size = (args.vocabulary + count - 1) / count, begin = min(part * part_size, args.vocabulary);
  SampleRow row = {logits, seen,  filters.repetition_penalty, scale, begin, min(begin + part_size, args.vocabulary),
                   0.f,    shared};

  auto mass_of = [](SampleRow &of) {
    u64 x = 0;
    of.each([&](int, float s) { x += of.mass(s); });
    return static_cast<double>(of.sum(x)) / kMassUnit;
  };
  SamplePart mine = {-kInfinity, -kInfinity, 0, 0., 0.};
  if (row.begin < row.end) { // the same for all threads
    mine.number = row.largest(), mine.top = mine.plain_top = row.top;
    if (!filtered) // a search adds up by itself
      mine.mass = mine.plain_mass = mass_of(row);
    if (seen) {
      SampleRow plain = row;
      plain.seen = nullptr;
      __syncthreads();
      plain.largest(), mine.plain_top = plain.top;
      mine.plain_mass = mass_of(plain);
    }
  }
  SamplePart *const all = args.parts + index * kSampleParts;
  if (threadIdx.x == 0)
    all[part] = mine;
  // log softmax(logits / temperature), without the penalty: `mass` is of all tokens, in units of that of the largest.
  auto finish = [&](int token, float plain_top, double mass) {
    args.log_probs[index] = (logits[token] * scale - plain_top - static_cast<float>(log2(mass))) / kLog2e;
    args.drawn[index] = token;
    args.tokens[index] = token;
    args.written[index] = position + 1;
    if (seen)
      seen[token] = 1;
  };
  auto point = [&] {
    return uniform(filters.seed, static_cast<u64>(args.sequences[index]), static_cast<u64>(position + 1));
  };

  if (filtered) {
    RowSearch search(row, args.search[index], search_shared, part, count);
    search.meet();
    if (threadIdx.x < count)
      parts[threadIdx.x] = all[threadIdx.x];
    __syncthreads();
    row.top = SampleTotals(parts, count, false).top;
    search.begin();
    const u64 mass = search.all_mass();
    const KeyPrefix drawn = draw_filtered(search, row, filters, args.vocabulary, mass, point());
    int token = -1; // in one thread of one block it is found
    row.each_at_once<2>([&](int each, float s) { token = drawn.begins(search.key(each, s)) ? each : token; });
    if (token >= 0) {
      const SampleTotals plain(parts, count, true);
      finish(token, plain.top, seen ? plain.mass : static_cast<double>(mass) / kMassUnit);
    }
    search.leave();
    return;
  }
  if (threadIdx.x == 0) {
    __threadfence();
    last = atomicInc(args.finished + index, count - 1) == count - 1;
    __threadfence();
  }
  __syncthreads();
  if (!last)
    return;
  if (threadIdx.x < count)
    parts[threadIdx.x] = all[threadIdx.x];
  __syncthreads();
  const SampleTotals totals(parts, count, false);
  row.begin = 0, row.end = args.vocabulary, row.top = totals.top;
  const int token = greedy ? totals.number : draw_unfiltered(row, parts, count, totals, part_size, point());
  if (threadIdx.x == 0) {
    const SampleTotals plain(parts, count, true);
    finish(token, plain.top, plain.mass);
  }
}

} // namespace maskjit::device
