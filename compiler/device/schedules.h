// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Schedules of the portable (mma.sync) kernels: how large tiles are, and what threads and shared memory follow from it.
// Plain C++: a generated file names one as a type, ScheduleTable.cpp chooses it with the same numbers on the host.
#pragma once

namespace maskjit::device {

/// Turing: fp16 only, no asynchronous copies, products of depth 8.
struct Sm75 {
  static constexpr const char *kName = "Sm75";
  static constexpr bool kAsyncCopy = false, kBf16 = false;
  static constexpr int kSharedLimit = 64 * 1024; // bytes a block of the table's schedules may have
};
/// Ampere and everything after it. The limit is that of sm_86, 89 and 120, the smallest of the family, so that the
/// table's schedules fit on all of it; one that is asked for by name may take what its architecture has.
struct Sm80 {
  static constexpr const char *kName = "Sm80";
  static constexpr bool kAsyncCopy = true, kBf16 = true;
  static constexpr int kSharedLimit = 99 * 1024;
};

// Shared memory of a block, in bytes, from the numbers of its schedule.
constexpr int forward_shared_bytes(int head_dim, int tile_q, int tile_k, int stages) {
  return 2 * head_dim * (tile_q + 2 * stages * tile_k);
}
constexpr int kDecodeTileQ = 16;
constexpr int decode_shared_bytes(int head_dim, int tile_k, int stages, int warps) {
  const int ring = warps * stages * 2 * tile_k * head_dim * 2;
  const int merge = warps * kDecodeTileQ * (head_dim + 2) * 4; // fp32 rows, maximum and sum; over the ring
  return 2 * head_dim * kDecodeTileQ + (ring > merge ? ring : merge);
}
constexpr int backward_dq_shared_bytes(int head_dim, int tile_q, int tile_k, int stages) {
  return 2 * head_dim * (2 * tile_q + 2 * stages * tile_k);
}
constexpr int backward_dkdv_shared_bytes(int head_dim, int tile_q, int tile_k, int stages) {
  const int stats = 8 * tile_q; // lse and row sum of each query of a stage
  return 2 * head_dim * (2 * tile_k + 2 * stages * tile_q) + stages * stats;
}

/// Blocks that shall share a multiprocessor, for __launch_bounds__: as many as their accumulators (fp32 a thread) leave
/// registers for. Without the bound the compiler spends registers on loads far ahead, and a block runs alone.
template <class Arch> constexpr int blocks_together(int threads, int accumulators, int shared_bytes) {
  // What the kernels take beside accumulators: operands, addresses, statistics of rows; copies that pass through.
  const int others = Arch::kAsyncCopy ? 72 : 96;
  const int by_registers = 65536 / (threads * (accumulators + others)), by_memory = Arch::kSharedLimit / shared_bytes;
  const int blocks = by_registers < by_memory ? by_registers : by_memory;
  return blocks > 1 ? blocks : 1;
}

/// A query tile stays in shared memory, key tiles pass through a ring of kStages. Rows of a query tile are
/// (position, head) pairs: all query heads of a key head, unless the mask tells heads apart.
/// With one stage K and V are loaded under each other's products; with two a whole key tile ahead.
template <class Arch_, int kHeadDim_, int kTileQ_, int kTileK_, int kStages_, int kWarps_> struct Forward {
  using Arch = Arch_;
  static constexpr const char *kName = "Forward";
  static constexpr int kHeadDim = kHeadDim_, kTileQ = kTileQ_, kTileK = kTileK_, kStages = kStages_, kWarps = kWarps_;
  static constexpr int kThreads = 32 * kWarps, kRowsPerWarp = kTileQ / kWarps;
  static constexpr int kSharedBytes = forward_shared_bytes(kHeadDim, kTileQ, kTileK, kStages);
  static constexpr int kBlocks =
      blocks_together<Arch>(kThreads, kRowsPerWarp / 16 * (kTileK + kHeadDim) / 2, kSharedBytes);
  static_assert(kHeadDim % 32 == 0 && kTileK % 16 == 0 && (kStages == 1 || kStages == 2));
  static_assert(kTileQ == kRowsPerWarp * kWarps && (kRowsPerWarp == 16 || kRowsPerWarp == 32));
};

/// Few queries: 16 rows a block, the keys of its split dealt out to the warps, kTileK at a time, each warp with a ring
/// of its own and no barrier until their results are merged.
template <class Arch_, int kHeadDim_, int kTileK_, int kStages_, int kWarps_> struct Decode {
  using Arch = Arch_;
  static constexpr const char *kName = "Decode";
  static constexpr int kHeadDim = kHeadDim_, kTileQ = kDecodeTileQ, kTileK = kTileK_, kStages = kStages_,
                       kWarps = kWarps_;
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kSharedBytes = decode_shared_bytes(kHeadDim, kTileK, kStages, kWarps);
  static constexpr int kBlocks = blocks_together<Arch>(kThreads, (kTileK + kHeadDim) / 2 + kHeadDim / 4, kSharedBytes);
  static_assert(kHeadDim % 32 == 0 && kTileK % 16 == 0 && kStages >= 1);
};

/// Many queries of sequences that share keys: a ring that all warps read, each for 16 rows.
template <class Arch_, int kHeadDim_, int kTileK_, int kStages_> struct DecodeShared {
  using Arch = Arch_;
  static constexpr const char *kName = "DecodeShared";
  static constexpr int kHeadDim = kHeadDim_, kTileQ = 64, kTileK = kTileK_, kStages = kStages_, kWarps = kTileQ / 16;
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kSharedBytes = forward_shared_bytes(kHeadDim, kTileQ, kTileK, kStages);
  // Blocks of the sequences' own keys run beside, by Decode: with few accumulators, and no copies that pass through
  // registers, those hold four of either.
  static constexpr int kBlocks = kHeadDim <= 64 && Arch::kAsyncCopy ? 4 : 2;
  static_assert(kHeadDim % 32 == 0 && kTileK % 16 == 0 && kStages >= 1);
};

/// Gradients of queries: as Forward, with dO beside Q.
template <class Arch_, int kHeadDim_, int kTileQ_, int kTileK_, int kStages_, int kWarps_> struct BackwardDq {
  using Arch = Arch_;
  static constexpr const char *kName = "BackwardDq";
  static constexpr int kHeadDim = kHeadDim_, kTileQ = kTileQ_, kTileK = kTileK_, kStages = kStages_, kWarps = kWarps_;
  static constexpr int kThreads = 32 * kWarps, kRowsPerWarp = kTileQ / kWarps;
  static constexpr int kSharedBytes = backward_dq_shared_bytes(kHeadDim, kTileQ, kTileK, kStages);
  static constexpr int kBlocks =
      blocks_together<Arch>(kThreads, kRowsPerWarp / 16 * (2 * kTileK + kHeadDim) / 2, kSharedBytes);
  static_assert(kHeadDim % 32 == 0 && kTileK % 16 == 0 && (kStages == 1 || kStages == 2));
  static_assert(kTileQ == kRowsPerWarp * kWarps && (kRowsPerWarp == 16 || kRowsPerWarp == 32));
};

/// Gradients of keys and values: a key tile stays, query tiles of all its query heads pass. Where a warp cannot hold
/// dK and dV of its keys, kSplitD warps share the keys and each holds that part of the head dimension.
template <class Arch_, int kHeadDim_, int kTileQ_, int kTileK_, int kStages_, int kWarps_> struct BackwardDkDv {
  using Arch = Arch_;
  static constexpr const char *kName = "BackwardDkDv";
  static constexpr int kHeadDim = kHeadDim_, kTileQ = kTileQ_, kTileK = kTileK_, kStages = kStages_, kWarps = kWarps_;
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kSplitD = kWarps * 16 > kTileK ? kWarps * 16 / kTileK : 1;
  static constexpr int kRowsPerWarp = kTileK * kSplitD / kWarps;
  static constexpr int kSharedBytes = backward_dkdv_shared_bytes(kHeadDim, kTileQ, kTileK, kStages);
  static constexpr int kBlocks =
      blocks_together<Arch>(kThreads, kRowsPerWarp / 16 * (kTileQ + kHeadDim / kSplitD), kSharedBytes);
  static_assert(kHeadDim % 32 == 0 && kTileQ % 16 == 0 && (kStages == 1 || kStages == 2));
  static_assert(kTileK * kSplitD == kRowsPerWarp * kWarps && (kRowsPerWarp == 16 || kRowsPerWarp == 32));
  static_assert(kHeadDim % (16 * kSplitD) == 0);
};

/// Hopper's own forward kernel: one producer warpgroup feeds kConsumers of 64 rows each through the copy engine; wgmma.
enum Sm90Flags : int {
  kOverlap = 1,     // issue the next Q K^T together with this P V: one latency for both
  kPingPong = 2,    // warpgroups take turns issuing, so that one's softmax runs under another's products
  kLazyRelease = 4, // give Q's buffer back under the next tile's products, not at the end of this one
};
constexpr int forward_sm90_shared_bytes(int head_dim, int tile_k, int consumers, int stages, int q_stages) {
  const int barriers = 2 * q_stages + 4 * stages, item = 32; // bytes that say which tile a buffer of Q holds
  return q_stages * consumers * 64 * head_dim * 2 + 2 * stages * tile_k * head_dim * 2 + 8 * barriers + item * q_stages;
}
/// Heads that share a row group of a tile: the largest power of two up to 8 that divides the group.
constexpr int sm90_pack(int group, bool uses_head) {
  return uses_head ? 1 : group % 8 == 0 ? 8 : group % 4 == 0 ? 4 : group % 2 == 0 ? 2 : 1;
}
template <int kHeadDim_, int kTileK_, int kConsumers_, int kStages_, int kQStages_, int kFlags_> struct ForwardSm90 {
  static constexpr const char *kName = "ForwardSm90";
  static constexpr int kHeadDim = kHeadDim_, kTileK = kTileK_, kConsumers = kConsumers_, kStages = kStages_;
  static constexpr int kQStages = kQStages_, kFlags = kFlags_;
  static constexpr int kRows = 64, kTileQ = kConsumers * kRows, kThreads = (kConsumers + 1) * 128;
  // The pool of 65536 registers, dealt anew: setmaxnreg.
  static constexpr int kProducerRegisters = kConsumers == 3 ? 32 : 24, kConsumerRegisters = kConsumers == 3 ? 160 : 240;
  static constexpr int kSharedBytes = forward_sm90_shared_bytes(kHeadDim, kTileK, kConsumers, kStages, kQStages);
  static constexpr bool has(Sm90Flags flag) { return kFlags & flag; }
  static_assert((kHeadDim == 64 || kHeadDim == 128) && kTileK == 128 && (kConsumers == 2 || kConsumers == 3));
  static_assert(!has(kLazyRelease) || kQStages > 1, "the next tile's Q must be able to come meanwhile");
};

} // namespace maskjit::device
