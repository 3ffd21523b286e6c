// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention forward for sm_90a: out = softmax(scale q k^T, sinks) v over the pairs a mask attends, with log-sum-exp.
//
// Flow: one producer thread -> copy engine -> shared memory (Q, K ring, V ring) -> wgmma by the consumer warpgroups, 64
// rows each; scores and probabilities never leave registers; O returns through Q's shared memory and the copy engine.
// Serves head dims 64 and 128, tensors that a tensor map can describe (sm90_maps.h), masks that do not score; not pages
// and not kv_len, past which keys may hold NaN: the portable kernel does. NVRTC needs -default-device (generic
// lambdas).
#pragma once
#include "attention/forward_sm90_items.cuh"
#include "wgmma.cuh"

namespace maskjit::device {

/// Of q and out: boxes of 64 columns, kPack heads, kPositions positions. Of k and v: boxes of 64 columns, kTileK keys.
struct Sm90Maps {
  TensorMap q, k, v, out;
};

// ---- producer: one thread ----

template <class S, class Mask>
__device__ void produce(const Sm90Maps &maps, const AttentionArgs &args, const Param *params, SharedSm90<S> shared) {
  const Items<S> items(args);
  RingIndex<S::kQStages> q_at;
  RingIndex<S::kStages> k_at, v_at;
  auto load_keys = [&](const TensorMap &map, u32 dst, u32 full, u32 empty, u32 parity, int key, const Item &item) {
    barrier_wait(empty, parity ^ 1);
    barrier_expect(full, S::kKeyBytes);
#pragma unroll
    for (int half = 0; half < S::kHalves; ++half)
      tma_load(dst + half * S::kTileK * kRowBytes, map, full, kEvictLast, half * kRowElements, key, item.kv_head,
               item.batch);
  };
  for (int round = 0;; ++round) {
    const int index = items.index(round);
    barrier_wait(shared.q_empty(q_at.stage), q_at.parity ^ 1);
    if (index >= items.count) {
      shared_write_int(shared.item(q_at.stage), -1);
      barrier_arrive(shared.q_full(q_at.stage));
      break;
    }
    const Item item = items.at(index);
    item.write(shared.item(q_at.stage)); // decoded once, here; the arrival below publishes it
    const Mask mask = Mask::at(params, item.batch, item.head);
    const ItemKeys<S, Mask> tiles(mask, item.position, args);
    barrier_expect(shared.q_full(q_at.stage), S::kQBytes);
#pragma unroll
    for (int group = 0; group < S::kConsumers; ++group)
#pragma unroll
      for (int half = 0; half < S::kHalves; ++half)
        tma_load(shared.q(q_at.stage, group) + half * S::kRows * kRowBytes, maps.q, shared.q_full(q_at.stage),
                 kEvictFirst, half * kRowElements, item.head_in_group, item.position + group * S::kPositions,
                 item.kv_head, item.batch);
    q_at.advance();
    auto load_k = [&](int j) {
      load_keys(maps.k, shared.k(k_at.stage), shared.k_full(k_at.stage), shared.k_empty(k_at.stage), k_at.parity,
                tiles.begin(j), item);
      k_at.advance();
    };
    auto load_v = [&](int j) {
      load_keys(maps.v, shared.v(v_at.stage), shared.v_full(v_at.stage), shared.v_empty(v_at.stage), v_at.parity,
                tiles.begin(j), item);
      v_at.advance();
    };
    int j = tiles.last();
    if (j < 0)
      continue;
    load_k(j);
    for (int next = tiles.next(j); next >= 0; j = next, next = tiles.next(next)) {
      load_k(next);
      load_v(j);
    }
    load_v(j);
  }
}

// ---- consumers ----

template <bool kValue> struct Bool {
  static constexpr bool value = kValue;
};

/// Number of this thread's columns (0, 1, 8, 9, 16, .. after its first) that lie below `limit`, a column of the tile.
template <int kTileK> __device__ int columns_below(int limit) {
  const int x = min(max(limit - lane_index() % 4 * 2, 0), kTileK);
  return x / 8 * 2 + min(x % 8, 2);
}

/// One bit a column of this thread in [kFirst, kFirst + 32): whether query `q` attends it. `row`: its keys, if
/// kIntervals.
template <class S, int kFirst, class Mask>
__device__ u32 attended(const Mask &mask, Range row, int q, int key, int len_k) {
  u32 word = 0;
  if constexpr (Mask::kIntervals) {
    const int lo = max(columns_below<S::kTileK>(row.begin - key) - kFirst, 0);
    const int hi = max(columns_below<S::kTileK>(row.end - key) - kFirst, 0);
    const u32 below_lo = lo > 31 ? ~0u : (1u << lo) - 1, below_hi = hi > 31 ? ~0u : (1u << hi) - 1;
    word = below_hi & ~below_lo;
  } else {
#pragma unroll
    for (int i = 0; i < min(32, S::kTileK / 4 - kFirst); ++i) {
      const int k = key + (kFirst + i) / 2 * 8 + lane_index() % 4 * 2 + i % 2;
      if (k < len_k && mask.attends(q, k))
        word |= 1u << i;
    }
  }
  return word;
}

template <class S, class T, class Mask>
__device__ void consume(const Sm90Maps &maps, const AttentionArgs &args, const Param *params, SharedSm90<S> shared) {
  constexpr int kTileK = S::kTileK, kColumns = kTileK / 4; // columns a thread holds of each of its two rows
  constexpr int kGroupBarrier = 1, kTurnBarrier = 1 + S::kConsumers;
  const int group = warpgroup_index() - 1, lane = lane_index(), warp = warp_index() % 4;
  const bool leader = threadIdx.x % kWarpgroup == 0;
  const float scale_log2 = args.scale * kLog2e;
  const float inverse_scale = 1.f / args.scale;
  RingIndex<S::kQStages> q_at;
  RingIndex<S::kStages> k_at, v_at;

  float score[kTileK / 2], out[S::kHeadDim / 2], row_max[2], row_sum[2], correction[2];
  u32 prob[kTileK / 16][4];

  auto take_turn = [&] {
    if constexpr (S::has(kPingPong))
      named_sync(kTurnBarrier + group, 2 * kWarpgroup);
  };
  auto pass_turn = [&] {
    if constexpr (S::has(kPingPong))
      named_arrive(kTurnBarrier + (group + 1) % S::kConsumers, 2 * kWarpgroup);
  };
  auto release = [&](u32 empty) { // every warp for itself: no other sync follows its last read
    if (lane == 0)
      barrier_arrive(empty);
  };
  if (group == S::kConsumers - 1)
    pass_turn();  // the first turn is warpgroup 0's
  u32 q_owed = 0; // Q's empty barrier this thread still has to arrive at

  while (true) {
    barrier_wait(shared.q_full(q_at.stage), q_at.parity);
    const Item item = Item::read(shared.item(q_at.stage));
    if (item.position < 0)
      break;
    const Mask mask = Mask::at(params, item.batch, item.head);
    const ItemKeys<S, Mask> tiles(mask, item.position, args);
    const int position = tiles.rows(group).begin;
    const int row0 = warp * 16 + lane / 4; // and row0 + 8
    const u32 q_tile = shared.q(q_at.stage, group);
    Range row_keys[2] = {}; // once an item: a mask may search an array for them
    if constexpr (Mask::kIntervals)
#pragma unroll
      for (int h = 0; h < 2; ++h)
        row_keys[h] = mask.row(position + (row0 + 8 * h) / S::kPack).within(0, args.len_k);

    auto issue_scores = [&] {
      const u64 a = k_major(q_tile), b = k_major(shared.k(k_at.stage));
      barrier_wait(shared.k_full(k_at.stage), k_at.parity);
      take_turn();
      mma_fence();
#pragma unroll
      for (int s = 0; s < S::kHeadDim / 16; ++s)
        mma<T, 0, 0>(score, k_step(a, s, S::kRows), k_step(b, s, S::kTileK), s != 0);
      mma_commit();
    };
    auto issue_out = [&] {
      const u64 b = mn_major(shared.v(v_at.stage), S::kTileK * kRowBytes);
      barrier_wait(shared.v_full(v_at.stage), v_at.parity);
      mma_fence();
#pragma unroll
      for (int s = 0; s < kTileK / 16; ++s)
        mma<T, 1>(out, prob[s], mn_step(b, s), 1);
      mma_commit();
    };
    auto release_k = [&] { release(shared.k_empty(k_at.stage)), k_at.advance(); };
    auto release_v = [&] { release(shared.v_empty(v_at.stage)), v_at.advance(); };

    /// Scores to probabilities, in place; row_max, row_sum and the factor for what was summed before.
    auto softmax = [&](auto masked, int j) {
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        if constexpr (decltype(masked)::value) {
          const int q = position + (row0 + 8 * h) / S::kPack, key = tiles.begin(j);
          const u32 word[2] = {attended<S, 0>(mask, row_keys[h], q, key, args.len_k),
                               kColumns > 32 ? attended<S, 32>(mask, row_keys[h], q, key, args.len_k) : 0};
#pragma unroll
          for (int i = 0; i < kColumns; ++i) {
            float &x = score[i / 2 * 4 + 2 * h + i % 2];
            x = word[i / 32] & 1u << i % 32 ? x : -kInfinity;
          }
        }
        float top[2] = {row_max[h], row_max[h]}; // two chains: one would be bound by latency, four measured slower
#pragma unroll
        for (int i = 0; i < kColumns; ++i)
          top[i % 2] = fmaxf(top[i % 2], score[i / 2 * 4 + 2 * h + i % 2]);
        const float now = quad_max(fmaxf(top[0], top[1])), base = now == -kInfinity ? 0.f : now * scale_log2;
        correction[h] = exp2_fast(fmaf(row_max[h], scale_log2, -base));
        row_max[h] = now;
        float sum[2] = {row_sum[h] * correction[h], 0.f};
#pragma unroll
        for (int i = 0; i < kColumns; ++i) {
          float &x = score[i / 2 * 4 + 2 * h + i % 2];
          x = exp2_fast(fmaf(x, scale_log2, -base));
          sum[i % 2] += x;
        }
        row_sum[h] = sum[0] + sum[1];
      }
    };
    auto rescale = [&] {
#pragma unroll
      for (int i = 0; i < S::kHeadDim / 2; ++i)
        out[i] *= correction[i / 2 % 2];
    };
    auto pack_probabilities = [&] { // accumulator layout = A operand layout, two column groups of 8 a step of 16
#pragma unroll
      for (int i = 0; i < kTileK / 4; ++i)
        prob[i / 4][i % 4] = pack<T>(score[2 * i], score[2 * i + 1]);
    };
    auto first = [&](int j) {
      issue_scores();
      pass_turn();
      if constexpr (S::has(kLazyRelease))
        if (q_owed)
          store_wait_read<0>(), barrier_arrive(q_owed), q_owed = 0;
      mma_wait<0>();
      pin(score);
      release_k();
      softmax(Bool<true>(), j);
      pack_probabilities();
    };
    auto step = [&](auto masked, int j) {
      if constexpr (S::has(kOverlap)) {
        issue_scores();
        issue_out();
        pass_turn();
        mma_wait<1>();
        pin(score);
        release_k();
        softmax(masked, j); // ptxas waits for P V early and mixes rescaling and packing into it: measured best
        mma_wait<0>();
        pin(out);
        release_v();
        rescale();
        pack_probabilities();
      } else { // scores and probabilities are never alive together: fewer registers, so wider tiles
        issue_out();
        mma_wait<0>();
        pin(out);
        release_v();
        issue_scores();
        pass_turn();
        mma_wait<0>();
        pin(score);
        release_k();
        softmax(masked, j);
        rescale();
        pack_probabilities();
      }
    };

#pragma unroll
    for (int h = 0; h < 2; ++h) { // the sink is a key with this score and value 0, seen before all others
      const float sink = args.sinks ? args.sinks[item.head + (row0 + 8 * h) % S::kPack] * inverse_scale : -kInfinity;
      row_max[h] = sink;
      row_sum[h] = args.sinks && lane % 4 == 0 ? 1.f : 0.f; // one of the four lanes that share the row
    }
#pragma unroll
    for (int i = 0; i < S::kHeadDim / 2; ++i)
      out[i] = 0.f;

    int j = tiles.last();
    if (j >= 0) {
      first(j);
      if constexpr (Mask::kIntervals) {
        const Range full = tiles.full_tiles(group);
        for (--j; j >= 0;) {
          for (; j >= full.begin && j < full.end; --j)
            step(Bool<false>(), j);
          if (j >= 0)
            step(Bool<true>(), j--);
        }
      } else {
        for (j = tiles.next(j); j >= 0;) {
          for (; j >= 0 && tiles.full(group, j); j = tiles.next(j))
            step(Bool<false>(), j);
          if (j >= 0)
            step(Bool<true>(), j), j = tiles.next(j);
        }
      }
      issue_out();
      mma_wait<0>();
      pin(out);
      release_v();
    }

    // Epilogue: rows to bf16, through this warpgroup's own part of Q's buffer, which no one else reads any more.
    const Item out_item = Item::read(shared.item(q_at.stage)); // again: five registers less during the loop
    float total[2], inverse[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      total[h] = quad_sum(row_sum[h]);
      inverse[h] = total[h] > 0.f ? __fdividef(1.f, total[h]) : 0.f;
    }
    const u32 matrix_row = warp * 16 + lane % 16;
#pragma unroll
    for (int c = 0; c < S::kHeadDim / 16; ++c) {
      u32 r[4];
#pragma unroll
      for (int i = 0; i < 4; ++i)
        r[i] = pack<T>(out[8 * c + 2 * i] * inverse[i % 2], out[8 * c + 2 * i + 1] * inverse[i % 2]);
      const u32 chunk = (c * 2 + lane / 16) % 8 ^ matrix_row % 8;
      store_matrices(q_tile + c / 4 * S::kRows * kRowBytes + matrix_row * kRowBytes + chunk * 16, r[0], r[1], r[2],
                     r[3]);
    }
    store_fence();
    named_sync(kGroupBarrier + group, kWarpgroup);
    if (leader) {
#pragma unroll
      for (int half = 0; half < S::kHalves; ++half)
        tma_store(maps.out, q_tile + half * S::kRows * kRowBytes, half * kRowElements, out_item.head_in_group, position,
                  out_item.kv_head, out_item.batch);
      store_commit();
      if (S::has(kLazyRelease) && tiles.last() >= 0) {
        if (q_owed)
          barrier_arrive(q_owed); // never: first() has paid it
        q_owed = shared.q_empty(q_at.stage);
      } else {
        store_wait_read<0>();
        if (q_owed)
          barrier_arrive(q_owed), q_owed = 0;
        barrier_arrive(shared.q_empty(q_at.stage));
      }
    }
    q_at.advance();
#pragma unroll
    for (int h = 0; h < 2; ++h) { // after the fence above, which would wait for these stores
      const int row = row0 + 8 * h, q = position + row / S::kPack, head = out_item.head + row % S::kPack;
      if (lane % 4 == 0 && q < args.len_q)
        args.lse[(static_cast<long long>(out_item.batch) * args.heads_q + head) * args.len_q + q] =
            total[h] > 0.f ? fmaf(row_max[h], args.scale, __logf(total[h])) : -kInfinity;
    }
  }
  if (leader)
    store_wait<0>();
}

/// Launch: as many blocks as multiprocessors, or items if they are fewer; __launch_bounds__(kThreads, 1).
template <class Schedule, class T, int kGroup, class Mask>
__device__ void attention_forward_sm90(const Sm90Maps &maps, const AttentionArgs &args, const Param *params) {
  static_assert(!Mask::kHasScore, "the portable kernel serves masks that score");
  using S = PackedSm90<Schedule, sm90_pack(kGroup, Mask::kUsesHead)>;
  // Aligned by declaration: rounding the address up at run time takes it, and every descriptor, out of the uniform
  // registers, which cost 5-8% of the kernel's speed.
  extern __shared__ __align__(1024) char raw[];
  const SharedSm90<S> shared(raw);
  if (shared.base % 1024 != 0)
    __trap();
  if (threadIdx.x == 0) {
    for (int i = 0; i < S::kQStages; ++i)
      barrier_init(shared.q_full(i), 1), barrier_init(shared.q_empty(i), S::kConsumers);
    for (int i = 0; i < S::kStages; ++i) {
      barrier_init(shared.k_full(i), 1), barrier_init(shared.k_empty(i), 4 * S::kConsumers);
      barrier_init(shared.v_full(i), 1), barrier_init(shared.v_empty(i), 4 * S::kConsumers);
    }
    barrier_init_done();
  }
  __syncthreads();
  if (warpgroup_index() == 0) {
    give_registers<S::kProducerRegisters>();
    if (threadIdx.x == 0)
      produce<S, Mask>(maps, args, params, shared);
  } else {
    take_registers<S::kConsumerRegisters>();
    consume<S, T, Mask>(maps, args, params, shared);
  }
}

} // namespace maskjit::device
