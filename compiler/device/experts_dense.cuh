// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Experts with 16-bit weights for 1-8 tokens, one launch for both products, on every architecture.
//
// A matrix lies as checkpoints hold it, [inputs, outputs]: two weights of one register are two outputs of one input,
// where a product wants two inputs of one output. A lane loads 8 outputs of 4 inputs, 16 bytes each, straight into
// registers, and two byte permutations a pair turn them round; nothing passes through shared memory.
//
// Flow: x -> gate_up, SwiGLU -> h -> (grid barrier) -> down, weighted sum -> out. One block a multiprocessor, all
// resident (cooperative launch). A product over all experts that are hit is one line of rounds, cut evenly among the
// blocks whatever the number of experts. Of a tile of outputs that lies on a cut each block leaves its share, and the
// last to arrive adds them up in the order of the blocks. The second product's first weights are under way
// while blocks wait for each other.
//
// A round is 16 inputs a warp: m16n8k16 with weights as A, rows g and g + 8 are outputs 2i and 2i + 1 of a lane's 8,
// gate and up of one feature; up to 8 tokens as B (columns past the last token repeat it and nobody reads them).
// Every sum has a fixed order and there are no atomics on data: results repeat bit for bit.
#pragma once
#include "experts_args.h"
#include "experts_rows_routing.cuh"
#include "experts_schedules.h"
#include "fourbit.cuh"
#include "linear_rows.cuh"

namespace maskjit::device {

/// 16 bytes that are read once. Rows of a tile are multiples of 128 bytes, so no more is asked for.
__device__ inline uint4 load_dense(const u16 *from) {
  uint4 x;
#if __CUDA_ARCH__ >= 800
  asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
               : "l"(from));
#else
  asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w) : "l"(from));
#endif
  return x;
}
/// Past L1: written by other multiprocessors in this launch.
__device__ inline uint2 load_shared_result(const u16 *from) {
  uint2 x;
  asm volatile("ld.global.cg.v2.u32 {%0, %1}, [%2];" : "=r"(x.x), "=r"(x.y) : "l"(from) : "memory");
  return x;
}
__device__ inline float4 load_shared_result(const float4 *from) {
  float4 x;
  asm volatile("ld.global.cg.v4.f32 {%0, %1, %2, %3}, [%4];"
               : "=f"(x.x), "=f"(x.y), "=f"(x.z), "=f"(x.w)
               : "l"(from)
               : "memory");
  return x;
}
__device__ inline void add(float4 &sum, const float4 &x) { sum.x += x.x, sum.y += x.y, sum.z += x.z, sum.w += x.w; }

/// Experts that are hit, in the order of their numbers, and the pairs (token * top_k + slot) of each.
template <class S> struct DenseRouting {
  int count, expert[kWarp];
  u32 pairs[kWarp];
  __device__ void fill(const int *ids, int tokens) { // by one warp
    const int lane = lane_index();
    const RoutedExperts<S> routed(ids, tokens, lane);
    if (lane == 0)
      count = routed.count();
    for (int u = 0; u < routed.count(); ++u) {
      const int id = routed.nth(u);
      const u32 of = routed.pairs_of(id);
      if (lane == 0)
        expert[u] = id, pairs[u] = of;
    }
  }
  /// The pair of a token at expert number `u`; a token routed elsewhere repeats a valid one.
  __device__ int pair(int u, int token) const {
    const u32 slots = RoutedExperts<S>::slots_of(pairs[u], token);
    return slots ? token * S::Shape::kTopK + __ffs(slots) - 1 : __ffs(pairs[u]) - 1;
  }
  __device__ bool takes(int u, int token) const { return RoutedExperts<S>::slots_of(pairs[u], token) != 0; }
};

/// One product of all experts as a line of rounds: by expert, each tile for itself, or by tile, whose experts follow
/// each other and are one sum. A stretch of the line that is one sum is a `segment`.
template <class S, int kIn_, int kOut_, bool kByTile> struct DenseLine {
  static constexpr int kIn = kIn_, kOut = kOut_;
  static constexpr int kTiles = ceil_div(kOut, S::kTileOut), kRounds = ceil_div(kIn, S::kRoundIn); // of an expert
  static_assert(kIn % 16 == 0 && kOut % 8 == 0);
  static_assert(1024LL * kWarp * kTiles * kRounds < 1LL << 32, "a GPU's blocks times all rounds are 32 bits");
  unsigned count, total, workers; // experts, rounds, blocks with work

  __device__ explicit DenseLine(int experts)
      : count(experts), total(count * kTiles * kRounds), workers(min(gridDim.x, total)) {}
  __device__ int segment_rounds() const { return kByTile ? count * kRounds : kRounds; }
  __device__ int begin(unsigned block) const { return block < workers ? block * total / workers : total; }
  /// The block that has a round.
  __device__ int block_of(int round) const {
    const int block = static_cast<unsigned>(round) * workers / total;
    return begin(block + 1) <= round ? block + 1 : block;
  }
  __device__ int expert(unsigned round) const { return kByTile ? round / kRounds % count : round / (kRounds * kTiles); }
  __device__ int tile(unsigned round) const { return kByTile ? round / (kRounds * count) : round / kRounds % kTiles; }

  /// The lane's 8 outputs of the first of its 4 inputs in `round`; null past the borders of the matrix.
  __device__ const u16 *place(const DenseStack &stack, int id, int round, int block, int share) const {
    const int lane = lane_index();
    const int in = (round % kRounds * S::kShares + share) * 16 + lane % 4 * 4;
    const int out = tile(round) * S::kTileOut + block * 64 + lane / 4 * 8;
    return in < kIn && out < kOut
               ? static_cast<const u16 *>(stack.weights) + (static_cast<long long>(id) * kIn + in) * kOut + out
               : nullptr;
  }
  /// First of the 4 inputs that go with them; -1 past the last.
  __device__ int input(int round, int share) const {
    const int in = (round % kRounds * S::kShares + share) * 16 + lane_index() % 4 * 4;
    return in < kIn ? in : -1;
  }
};

/// Shares of a segment: a block has room for two, of the segment that it begins with and of the one that it ends with.
template <class S> struct DenseShares {
  float4 *memory;
  __device__ float4 *of(int block, bool begins_with, int item) const {
    return memory + ((2 * block + (begins_with ? 0 : 1)) * S::kItems + item) * kWarp + lane_index();
  }
  /// All shares of a segment that starts at round `first`, in ascending order of the blocks that have one.
  template <class Line>
  __device__ float4 gather(const Line &line, int first, int first_block, int last_block, int item) {
    constexpr int kTogether = 4; // loads under way
    float4 sum = {0.f, 0.f, 0.f, 0.f};
    for (int block = first_block; block <= last_block; block += kTogether) {
      float4 part[kTogether];
#pragma unroll
      for (int k = 0; k < kTogether; ++k)
        if (block + k <= last_block)
          part[k] = load_shared_result(of(block + k, line.begin(block + k) >= first, item));
#pragma unroll
      for (int k = 0; k < kTogether; ++k)
        if (block + k <= last_block)
          add(sum, part[k]);
    }
    return sum;
  }
};

/// acc += weights x inputs: acc[i] are outputs 2i and 2i + 1 of the lane's 8, two tokens each.
template <class S, class T>
__device__ void multiply_dense(float (&acc)[4][4], const uint4 (&w)[4], const uint2 &inputs) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const u32 a = i == 0 ? w[0].x : i == 1 ? w[0].y : i == 2 ? w[0].z : w[0].w;
    const u32 b = i == 0 ? w[1].x : i == 1 ? w[1].y : i == 2 ? w[1].z : w[1].w;
    const u32 c = i == 0 ? w[2].x : i == 1 ? w[2].y : i == 2 ? w[2].z : w[2].w;
    const u32 d = i == 0 ? w[3].x : i == 1 ? w[3].y : i == 2 ? w[3].z : w[3].w;
    mma<typename S::Arch, T>(
        acc[i],
        {__byte_perm(a, b, 0x5410), __byte_perm(a, b, 0x7632), __byte_perm(c, d, 0x5410), __byte_perm(c, d, 0x7632)},
        inputs.x, inputs.y);
  }
}

/// A block's rounds of a line on their way through registers, kAhead of them at a time.
template <class S, class T, class Line> struct DenseStream {
  const Line line;
  const DenseStack &stack;
  const DenseRouting<S> &routing;
  const int begin, end, block, share; // rounds of this block; outputs of a tile and inputs of a round of this warp
  uint4 weights[S::kAhead][4];
  uint2 inputs[S::kAhead];

  __device__ DenseStream(const DenseStack &stack, const DenseRouting<S> &routing)
      : line(routing.count), stack(stack), routing(routing), begin(line.begin(static_cast<int>(blockIdx.x))),
        end(line.begin(static_cast<int>(blockIdx.x) + 1)), block(warp_index() % S::kTileBlocks),
        share(warp_index() / S::kTileBlocks) {}
  __device__ void load_weights(uint4 (&to)[4], int round) const {
    const u16 *const from = line.place(stack, routing.expert[line.expert(round)], round, block, share);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      to[i] = from ? load_dense(from + i * Line::kOut) : uint4{0, 0, 0, 0};
  }
  /// `input(u, feature)`: four features of the lane's token at expert number u.
  template <class Input> __device__ void load_inputs(uint2 &to, int round, const Input &input) const {
    const int feature = line.input(round, share);
    to = feature < 0 ? uint2{0, 0} : input(line.expert(round), feature);
  }
  __device__ void prime_weights() {
#pragma unroll
    for (int i = 0; i < S::kAhead; ++i)
      if (begin + i < end)
        load_weights(weights[i], begin + i);
  }
  /// After prime_weights. `done(round, acc)` after the last round of a tile of an expert and after the block's last.
  template <class Input, class Done> __device__ void run(const Input &input, const Done &done) {
#pragma unroll
    for (int i = 0; i < S::kAhead; ++i)
      if (begin + i < end)
        load_inputs(inputs[i], begin + i, input);
    float acc[4][4] = {};
    for (int first = begin; first < end; first += S::kAhead)
#pragma unroll
      for (int i = 0; i < S::kAhead; ++i) {
        const int round = first + i;
        if (round >= end)
          break;
        multiply_dense<S, T>(acc, weights[i], inputs[i]);
        if (round + S::kAhead < end) {
          load_weights(weights[i], round + S::kAhead);
          load_inputs(inputs[i], round + S::kAhead, input);
        }
        if (round + 1 == end || (round + 1) % Line::kRounds == 0) {
          done(round, acc);
#pragma unroll
          for (int k = 0; k < 16; ++k)
            acc[k / 4][k % 4] = 0.f;
        }
      }
  }
};

/// Cooperative launch, one block a multiprocessor, at least experts_dense_blocks(hidden).
template <class S, class T> __device__ void experts_dense(const ExpertsDenseArgs &a) {
  using Shape = typename S::Shape;
  using First = DenseLine<S, Shape::kHidden, 2 * Shape::kIntermediate, false>;
  using Second = DenseLine<S, Shape::kIntermediate, Shape::kHidden, true>;
  constexpr int kTopK = Shape::kTopK, kItems = S::kItems;
  static_assert(kItems <= S::kWarps, "a warp adds up an item");
  __shared__ DenseRouting<S> routing;
  __shared__ float4 sums[S::kShares][kItems][kWarp];
  __shared__ bool is_last;
  const int lane = lane_index(), warp = warp_index(), g = lane >> 2, t = lane & 3;
  const int self = static_cast<int>(blockIdx.x), last_token = a.tokens - 1;
  DenseShares<S> shares{static_cast<float4 *>(a.shares)};
  const bool adds = warp < kItems && 2 * t < a.tokens; // two outputs of the lane's two tokens
  start_dependents();                                  // its blocks find room as these end
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

  // ---- gate_up: gate and up of a feature of up to two tokens, to h of the pairs that are routed there ----
  DenseStream<S, T, First> gate_up(a.gate_up, routing);
  gate_up.prime_weights();
  gate_up.run(
      [&](int, int feature) {
        return *reinterpret_cast<const uint2 *>(static_cast<const u16 *>(a.x) +
                                                static_cast<long long>(min(g, last_token)) * Shape::kHidden + feature);
      },
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
  DenseStream<S, T, Second> down(a.down, routing);
  down.prime_weights();
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0)
    grid_barrier(a.barrier);
  __syncthreads();

  // ---- down: the experts of a token weighted, the bias, and what was there before ----
  float total[4][4] = {};
  down.run(
      [&](int u, int feature) {
        return load_shared_result(static_cast<const u16 *>(a.h) +
                                  static_cast<long long>(routing.pair(u, min(g, last_token))) * Shape::kIntermediate +
                                  feature);
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
