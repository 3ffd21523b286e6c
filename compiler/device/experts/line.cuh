// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Experts for 1-8 tokens on every architecture, one launch for both products, whatever their weights are held in: a
// file of a format (experts/dense.cuh, experts/nf4.cuh) says how a lane reads and multiplies a round of them.
//
// Flow: x -> gate_up, SwiGLU -> h -> (grid barrier) -> down, weighted sum -> out. One block a multiprocessor, all
// resident (cooperative launch). A product over all experts that are hit is one line of rounds, cut evenly among the
// blocks whatever the number of experts. Of a tile of outputs that lies on a cut each block leaves its share, and the
// last to arrive adds them up in the order of the blocks. The second product's first weights are under way
// while blocks wait for each other.
//
// A round is kStepIn inputs a warp: m16n8k16 with weights as A, rows g and g + 8 are outputs 2i and 2i + 1 of a lane's
// 8, gate and up of one feature; up to 8 tokens as B (columns past the last token repeat it and nobody reads them).
//
// An adapter's first factors are multiplied before a product by warps of all blocks; whoever ends a tile of an expert
// adds the second factors, a slice a warp.
//
// Every sum has a fixed order and there are no atomics on data: results repeat bit for bit.
#pragma once
#include "experts/line_rounds.cuh"
#include "experts/rows_adapter.cuh"
#include "fourbit.cuh"
#include "linear/rows.cuh"

namespace maskjit::device {

/// What an adapter adds to the sums of a tile of one expert, whose last round a block has: each warp that shares the
/// tile multiplies its slices of the second factor.
template <class S, class T, class Line> struct LineAdapter {
  const ExpertsAdapter &adapter;
  const int rank, tokens, first_slice, block;
  const LineRouting<S> &routing;

  __device__ LineAdapter(const ExpertsAdapter &adapter, int rank, int tokens, const LineRouting<S> &routing, int block,
                         int share)
      : adapter(adapter), rank(rank), tokens(tokens), first_slice(kRankSlice * share), block(block), routing(routing) {}

  __device__ bool adds(int round) const { return adapter.a && first_slice < rank && (round + 1) % Line::kRounds == 0; }
  /// The lane's 8 rows of all second factors.
  __device__ long long row(const Line &line, int round) const {
    return static_cast<long long>(routing.expert[line.expert(round)]) * Line::kOut +
           min(line.output(round, block), Line::kOut - 8);
  }
  /// Into the L2 cache.
  __device__ void fetch(const Line &line, int round) const {
    if (!adds(round))
      return;
    const int t = lane_index() & 3;
#pragma unroll
    for (int i = 0; i < 2; ++i)
      asm volatile("prefetch.global.L2 [%0];" ::"l"(static_cast<const u16 *>(adapter.b) +
                                                    (row(line, round) + 2 * t + i) * rank + first_slice));
  }
  __device__ void add(float (&acc)[4][4], const Line &line, int round) const {
    if (!adds(round))
      return;
    const int g = lane_index() >> 2, t = lane_index() & 3, u = line.expert(round);
    const int pair = g < tokens && routing.takes(u, g) ? routing.pair(u, g) : -1;
    const long long first = row(line, round);
#pragma unroll 1
    for (int slice = first_slice; slice < rank; slice += kRankSlice * S::kShares) {
      uint2 low;
      do
        low = pair < 0 ? make_uint2(kLowZero, kLowZero) : low_slice(adapter, rank, pair, slice, t);
      while (!are_there(low));
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const uint2 even = factor_slice(adapter, rank, first + 2 * i, slice, t),
                    odd = factor_slice(adapter, rank, first + 2 * i + 1, slice, t);
        add_slice<typename S::Arch, T>(acc[i], even, odd, low);
      }
    }
  }
};

/// A block's rounds of a line on their way through registers, kAhead of them at a time. Weights, of a format: a Lane
/// holds a round; load_weights(lane, expert, in, out) and load_inputs(lane, row, in, ..) ask for it, multiply(acc,
/// lane) adds to acc[i], outputs 2i and 2i + 1 of the lane's 8, two tokens each.
template <class S, class T, class Line, class Weights, bool kAdapter> struct LineStream {
  const Line line;
  const Weights &weights;
  const LineRouting<S> &routing;
  const int begin, end, block, share; // rounds of this block; outputs of a tile and inputs of a round of this warp
  const LineAdapter<S, T, Line> term;
  typename Weights::Lane lanes[S::kAhead];

  __device__ LineStream(const Weights &weights, const LineRouting<S> &routing, const ExpertsAdapter &adapter, int rank,
                        int tokens)
      : line(routing.count), weights(weights), routing(routing), begin(line.begin(static_cast<int>(blockIdx.x))),
        end(line.begin(static_cast<int>(blockIdx.x) + 1)), block(warp_index() % S::kTileBlocks),
        share(warp_index() / S::kTileBlocks),
        term(adapter, rank, tokens, routing, warp_index() % S::kTileBlocks, warp_index() / S::kTileBlocks) {}
  __device__ void load_weights(typename Weights::Lane &to, int round) const {
    weights.template load_weights<Line>(to, routing.expert[line.expert(round)], line.input(round, share),
                                        line.output(round, block));
    if constexpr (kAdapter)
      term.fetch(line, round);
  }
  /// `input(u)`: the row of the lane's token at expert number u.
  template <class Input> __device__ void load_inputs(typename Weights::Lane &to, int round, const Input &input) const {
    weights.template load_inputs<Line>(to, input(line.expert(round)), line.input(round, share));
  }
  __device__ void prime_weights() {
#pragma unroll
    for (int i = 0; i < S::kAhead; ++i)
      if (begin + i < end)
        load_weights(lanes[i], begin + i);
  }
  /// After prime_weights. `done(round, acc)` after the last round of a tile of an expert and after the block's last.
  template <class Input, class Done> __device__ void run(const Input &input, const Done &done) {
#pragma unroll
    for (int i = 0; i < S::kAhead; ++i)
      if (begin + i < end)
        load_inputs(lanes[i], begin + i, input);
    float acc[4][4] = {};
    for (int first = begin; first < end; first += S::kAhead)
#pragma unroll
      for (int i = 0; i < S::kAhead; ++i) {
        const int round = first + i;
        if (round >= end)
          break;
        weights.multiply(acc, lanes[i]);
        if (round + S::kAhead < end) {
          load_weights(lanes[i], round + S::kAhead);
          load_inputs(lanes[i], round + S::kAhead, input);
        }
        if (round + 1 == end || (round + 1) % Line::kRounds == 0) {
          if constexpr (kAdapter)
            term.add(acc, line, round);
          done(round, acc);
#pragma unroll
          for (int k = 0; k < 16; ++k)
            acc[k / 4][k % 4] = 0.f;
        }
      }
  }
};

/// Cooperative launch, one block a multiprocessor, at least experts_dense_blocks(hidden). Weights(stack, place): those
/// of a matrix; `place` is 0 or 1, the product. kAdapter: a.gate_up_adapter and a.down_adapter are read.
template <class S, class T, class Weights, bool kAdapter, class Stack>
__device__ void experts_in_line(const ExpertsLineArgs<Stack> &a) {
  using Shape = typename S::Shape;
  using First = ExpertsLine<S, Shape::kHidden, 2 * Shape::kIntermediate, false>;
  using Second = ExpertsLine<S, Shape::kIntermediate, Shape::kHidden, true>;
  constexpr int kTopK = Shape::kTopK, kItems = S::kItems;
  static_assert(kItems <= S::kWarps, "a warp adds up an item");
  __shared__ LineRouting<S> routing;
  __shared__ float4 sums[S::kShares][kItems][kWarp];
  __shared__ bool is_last;
  const int lane = lane_index(), warp = warp_index(), g = lane >> 2, t = lane & 3;
  const int self = static_cast<int>(blockIdx.x), last_token = a.tokens - 1;
  LineShares<S> shares{static_cast<float4 *>(a.shares)};
  const bool adds = warp < kItems && 2 * t < a.tokens; // two outputs of the lane's two tokens
  start_dependents();                                  // its blocks find room as these end
  const Weights first_weights(a.gate_up, 0), second_weights(a.down, 1);
  wait_for_earlier();
  if (warp == 0)
    routing.fill(a.experts, a.tokens);
  __syncthreads();
  if (routing.count == 0) { // nothing but empty slots
    for (int i = self * S::kThreads + static_cast<int>(threadIdx.x); i < a.tokens * Shape::kHidden && !a.accumulate;
         i += static_cast<int>(gridDim.x) * S::kThreads)
      a.out[i] = 0.f;
    return;
  }

  // Adds up the warps' sums; item = warp, of the first kItems: outputs 8g + 2 (item % 4) and the next, tokens 2t, 2t
  // + 1.
  auto add_warps = [&](const float (&from)[4][4]) {
    const int block = warp % S::kTileBlocks, share = warp / S::kTileBlocks;
#pragma unroll
    for (int i = 0; i < 4; ++i)
      sums[share][block * 4 + i][lane] = make_float4(from[i][0], from[i][1], from[i][2], from[i][3]);
    __syncthreads();
    float4 sum = {0.f, 0.f, 0.f, 0.f};
    if (warp < kItems)
#pragma unroll
      for (int s = 0; s < S::kShares; ++s)
        add(sum, sums[s][warp][lane]);
    __syncthreads();
    return sum;
  };
  // Calls finish(sum) once in the grid for the segment of `line` that holds `round`, which is this block's last of it.
  auto complete = [&](const auto &line, int begin, int round, const float (&from)[4][4], const auto &finish) {
    const int length = line.segment_rounds(), first = round / length * length, last = first + length - 1;
    float4 sum = add_warps(from);
    if (begin > first || round < last) {
      const int first_block = line.block_of(first), last_block = line.block_of(last);
      if (adds)
        *shares.of(self, begin >= first, warp) = sum;
      __threadfence();
      __syncthreads();
      if (threadIdx.x == 0) {
        unsigned *const arrived = a.barrier + 2 + first_block;
        is_last = atomicAdd(arrived, 1u) == static_cast<unsigned>(last_block - first_block);
        if (is_last)
          *arrived = 0;
        __threadfence();
      }
      __syncthreads();
      if (!is_last)
        return;
      if (adds)
        sum = shares.gather(line, first, first_block, last_block, warp);
    }
    if (adds)
      finish(sum);
  };
  auto output_of = [&](int tile) { return tile * S::kTileOut + warp / 4 * 64 + g * 8 + warp % 4 * 2; };

  __shared__ LowShares<S> low_shares;
  const int rank = a.adapter_rank, pairs = a.tokens * kTopK;

  // ---- gate_up: gate and up of a feature of up to two tokens, to h of the pairs that are routed there ----
  LineStream<S, T, First, Weights, kAdapter> gate_up(first_weights, routing, a.gate_up_adapter, rank, a.tokens);
  gate_up.prime_weights();
  if (kAdapter && a.gate_up_adapter.a) {
    const RoutedExperts<S> routed(a.experts, a.tokens, lane);
    make_low<S, T, Shape::kHidden>(a.gate_up_adapter, rank, routed, warp, lane, low_shares, [&](int pair, int c) {
      return pairs_of_eight(
          static_cast<const uint4 *>(a.x)[static_cast<long long>(pair / kTopK) * (Shape::kHidden / 8) + c]);
    });
  }
  gate_up.run(
      [&](int) { return static_cast<const u16 *>(a.x) + static_cast<long long>(min(g, last_token)) * Shape::kHidden; },
      [&](int round, const float (&acc)[4][4]) {
        complete(gate_up.line, gate_up.begin, round, acc, [&](const float4 &sum) {
          const int u = gate_up.line.expert(round), output = output_of(gate_up.line.tile(round)), feature = output / 2;
          if (output >= First::kOut)
            return;
          const u32 bias = static_cast<const u32 *>(
              a.gate_up.bias)[static_cast<long long>(routing.expert[u]) * Shape::kIntermediate + feature];
          const float gate = low_half<T>(bias), up = high_half<T>(bias);
#pragma unroll
          for (int k = 0; k < 2; ++k) {
            const int token = 2 * t + k;
            if (token >= a.tokens || !routing.takes(u, token))
              continue;
            const float h = clamped_swiglu((k ? sum.y : sum.x) + gate, (k ? sum.w : sum.z) + up, a.alpha, a.limit);
            set_element<T>(a.h, static_cast<long long>(routing.pair(u, token)) * Shape::kIntermediate + feature, h);
          }
        });
      });
  LineStream<S, T, Second, Weights, kAdapter> down(second_weights, routing, a.down_adapter, rank, a.tokens);
  down.prime_weights();
  if (kAdapter && a.down_adapter.a) {
    clear_low(a.down_adapter, rank, pairs, S::kThreads); // of the launch before
    fetch_low<S, Shape::kIntermediate>(a.down_adapter, rank, RoutedExperts<S>(a.experts, a.tokens, lane), warp, lane);
  }
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0)
    grid_barrier(a.barrier);
  __syncthreads();
  if (kAdapter && a.gate_up_adapter.a)
    clear_low(a.gate_up_adapter, rank, pairs, S::kThreads); // for the launch after
  if (kAdapter && a.down_adapter.a) {
    const RoutedExperts<S> routed(a.experts, a.tokens, lane);
    make_low<S, T, Shape::kIntermediate>(a.down_adapter, rank, routed, warp, lane, low_shares, [&](int pair, int c) {
      return pairs_of_eight(load_shared_result(static_cast<const uint4 *>(a.h) +
                                               static_cast<long long>(pair) * (Shape::kIntermediate / 8) + c));
    });
  }

  // ---- down: the experts of a token weighted, the bias, and what was there before ----
  float total[4][4] = {};
  down.run(
      [&](int u) {
        return static_cast<const u16 *>(a.h) +
               static_cast<long long>(routing.pair(u, min(g, last_token))) * Shape::kIntermediate;
      },
      [&](int round, const float (&acc)[4][4]) {
        const int u = down.line.expert(round);
#pragma unroll
        for (int k = 0; k < 2; ++k) {
          const int token = 2 * t + k;
          // A test, not a product with 0: another token's infinity must not become this one's NaN.
          if (token >= a.tokens || !routing.takes(u, token))
            continue;
          const float weight = a.weights[routing.pair(u, token)];
#pragma unroll
          for (int i = 0; i < 4; ++i)
            total[i][k] += weight * acc[i][k], total[i][2 + k] += weight * acc[i][2 + k];
        }
        if (round + 1 < down.end && (round + 1) % down.line.segment_rounds() != 0)
          return;
        complete(down.line, down.begin, round, total, [&](const float4 &sum) {
          const int output = output_of(down.line.tile(round));
          if (output >= Second::kOut)
            return;
#pragma unroll
          for (int k = 0; k < 2; ++k) {
            const int token = 2 * t + k;
            if (token >= a.tokens)
              continue;
            float low = k ? sum.y : sum.x, high = k ? sum.w : sum.z;
#pragma unroll
            for (int s = 0; s < kTopK; ++s) {
              const int expert = a.experts[token * kTopK + s];
              if (expert < 0)
                continue;
              const float weight = a.weights[token * kTopK + s];
              const u32 bias = *reinterpret_cast<const u32 *>(static_cast<const u16 *>(a.down.bias) +
                                                              static_cast<long long>(expert) * Shape::kHidden + output);
              low += weight * low_half<T>(bias), high += weight * high_half<T>(bias);
            }
            float2 *const out =
                reinterpret_cast<float2 *>(a.out + static_cast<long long>(token) * Shape::kHidden + output);
            const float2 before = a.accumulate ? *out : float2{0.f, 0.f};
            *out = {before.x + low, before.y + high};
          }
        });
#pragma unroll
        for (int k = 0; k < 16; ++k)
          total[k / 4][k % 4] = 0.f;
      });
}

} // namespace maskjit::device
