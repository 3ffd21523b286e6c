// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Schedules of the kernels for 4-bit experts: tiles, threads and shared memory, the same numbers for host and device.
#pragma once
#include "linear_nf4_schedules.h"

namespace maskjit::device {

constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }

/// Sizes of a model that a kernel is made for: its structure.
template <int kHidden_, int kIntermediate_, int kTopK_> struct ExpertsShape {
  static constexpr int kHidden = kHidden_, kIntermediate = kIntermediate_, kTopK = kTopK_;
  static_assert(kHidden % 32 == 0 && kIntermediate % 32 == 0, "a block of MXFP4 is 32 weights");
  static_assert(kTopK >= 1 && kTopK <= 8);
};

// ---- few tokens, Hopper: one block a multiprocessor, both products in one launch ----

constexpr int kRowsTile = 16, kRowsWarps = 8; // weight rows of a slot; warps that share one
/// Tiles whose shares are added up at a time, with one barrier.
constexpr int experts_rows_batch(int groups) { return 4 / groups; }
constexpr int experts_rows_slot_bytes(int hidden, int intermediate) {
  const int columns = hidden > intermediate ? hidden : intermediate;
  return kRowsTile * columns / 32 * 17;
}
/// Registers for two groups hold the activations of 4 tokens, for one those of 8.
constexpr int experts_rows_tokens(int groups) { return groups == 2 ? 4 : 8; }
constexpr int kRowsMostUnits = 4; // units of 8 rows of the second product that a block can own
/// Blocks that a launch needs at least.
constexpr int experts_rows_blocks(int hidden) { return ceil_div(hidden / 8, kRowsMostUnits); }
/// Beside the ring there are the warps' sums (two batches of tiles a group) and the barriers.
constexpr int experts_rows_slots(int hidden, int intermediate, int groups) {
  const int sums = groups * 2 * experts_rows_batch(groups) * kRowsWarps * 32 * 16, barriers = 2 * 16 * 8;
  const int slots = (227 * 1024 - 1024 - sums - barriers) / experts_rows_slot_bytes(hidden, intermediate);
  return slots > 16 ? 16 : slots;
}

template <class Shape_, int kGroups_> struct ExpertsRows {
  using Shape = Shape_;
  static constexpr int kGroups = kGroups_, kWarps = kRowsWarps * kGroups, kThreads = 32 * (kWarps + 1);
  static constexpr int kTokens = experts_rows_tokens(kGroups), kBatch = experts_rows_batch(kGroups);
  static constexpr int kSlotBytes = experts_rows_slot_bytes(Shape::kHidden, Shape::kIntermediate);
  static constexpr int kSlots = experts_rows_slots(Shape::kHidden, Shape::kIntermediate, kGroups);
  static constexpr int kSharedBytes = kSlots * kSlotBytes;
  static_assert(kGroups == 1 || kGroups == 2);
  static_assert(Shape::kIntermediate % 64 == 0, "bulk copies move 16 bytes: 8 rows of scales must fill them");
  static_assert(kSlots >= 2, "the ring must hold two slots");
  static_assert(kTokens * Shape::kTopK <= 32, "a lane holds a pair");
};

// ---- few tokens, 16-bit weights or NF4, every architecture: one block a multiprocessor, both products in one launch
// ----

/// Tiles of 64 * kTileBlocks outputs; kShares warps share the inputs of each 64, kStepIn of them a round.
template <class Arch_, class Shape_, int kTileBlocks_, int kShares_, int kAhead_, int kStepIn_ = 16>
struct ExpertsDense {
  using Arch = Arch_;
  using Shape = Shape_;
  static constexpr int kTileBlocks = kTileBlocks_, kShares = kShares_, kAhead = kAhead_, kStepIn = kStepIn_;
  static constexpr int kWarps = kTileBlocks * kShares, kThreads = 32 * kWarps;
  static constexpr int kTileOut = 64 * kTileBlocks, kRoundIn = kStepIn * kShares;
  static constexpr int kTokens = 32 / Shape::kTopK < 8 ? 32 / Shape::kTopK : 8; // a lane holds a pair
  static constexpr int kItems = 4 * kTileBlocks; // products of a step, a warp's float4 each
};
constexpr int kDenseTileBlocks = 2, kDenseShares = 6, kDenseAhead = 4;

/// NF4: a round is a block of 64 weights of an output. In shared memory: table of pairs, nested tables of both
/// products.
template <class Arch_, class Shape_, int kShares_, int kAhead_>
struct ExpertsNf4 : ExpertsDense<Arch_, Shape_, kDenseTileBlocks, kShares_, kAhead_, kNf4Block> {
  static_assert(Shape_::kHidden % kNf4Block == 0 && Shape_::kIntermediate % kNf4Block == 0);
};
constexpr int kExpertsNf4Shares = 5, kExpertsNf4Ahead = 1; // 45 blocks of 64 are 9 rounds
constexpr int kExpertsNf4SharedBytes = kNf4TableBytes + 2 * 256 * 4;
/// Blocks that a launch needs at least: then none has parts of more than two tiles of the second product.
constexpr int experts_dense_blocks(int hidden) { return ceil_div(hidden, 64 * kDenseTileBlocks); }
/// Words of the barrier: arrivals, none, and arrivals at the tile that a block begins and others go on with.
constexpr int experts_dense_words(int blocks) { return 2 + blocks; }
/// Two tiles a block: the one that it begins with and the one that it ends with.
constexpr long long experts_dense_share_bytes(int blocks) { return 2LL * blocks * 4 * kDenseTileBlocks * 32 * 16; }

// ---- many tokens: tiles of weight rows and of one expert's tokens ----

constexpr int kRouteThreads = 1024, kCombineThreads = 256, kLowThreads = 512;
constexpr int kStepK = 64; // features a stage

/// Classes of more than 8 are named by the tokens of a tile. But for this one: 8 is the class of a single launch.
constexpr int kExpertsFewClass = 12;
constexpr int experts_tile_tokens(int row_class) { return row_class == kExpertsFewClass ? 8 : row_class; }

/// Weight rows lie in registers as A, tokens in shared memory as B. A warp owns kRowTiles times 16 weight rows.
constexpr int experts_grouped_shared_bytes(int rows, int tokens, int stages, int columns) {
  const int stage = tokens * kStepK * 2 + rows * kStepK / 2;
  return stages * stage + rows * ceil_div(columns, 32) + 1024; // scales of the whole tile; alignment
}
template <class Arch_, class Shape_, int kTokens_, int kRowTiles_, int kWarps_, int kStages_> struct ExpertsGrouped {
  using Arch = Arch_;
  using Shape = Shape_;
  static constexpr int kTokens = kTokens_, kRowTiles = kRowTiles_, kWarps = kWarps_, kStages = kStages_;
  static constexpr bool kNarrow = false;
  static constexpr int kThreads = 32 * kWarps, kRows = 16 * kRowTiles * kWarps;
  static constexpr int kColumns = Shape::kHidden > Shape::kIntermediate ? Shape::kHidden : Shape::kIntermediate;
  static constexpr int kSharedBytes = experts_grouped_shared_bytes(kRows, kTokens, kStages, kColumns);
  static constexpr int kBlocks = blocks_together<Arch>(kThreads, kRowTiles *kTokens / 2, kSharedBytes);
  static_assert(kTokens % 8 == 0 && kStages >= 2);
};

/// Tokens of the next narrower product that a kernel with a product of `tokens` has beside it; `tokens`: it has none.
constexpr int experts_narrow_tokens(int tokens) {
  switch (tokens) {
  case 192:
    return 176;
  case 176:
    return 160;
  case 144:
    return 136;
  case 136:
    return 128;
  case 96:
    return 80;
  case 80:
    return 64;
  case 48:
    return 32;
  case 24:
    return 16;
  case 16:
    return 8;
  default:
    return tokens;
  }
}

/// Hopper: a warpgroup owns 64 weight rows.
struct Sm90 {
  static constexpr const char *kName = "Sm90";
  static constexpr bool kAsyncCopy = true, kBf16 = true;
  static constexpr int kSharedLimit = 227 * 1024;
};
template <class Shape_, int kTokens_, int kWarpgroups_, int kStages_, int kBlocks_> struct ExpertsGroupedSm90 {
  using Arch = Sm90;
  using Shape = Shape_;
  static constexpr int kTokens = kTokens_, kRowTiles = 1, kStages = kStages_, kBlocks = kBlocks_;
  /// A tile with so few tokens that a narrower product holds them is computed by that one.
  static constexpr bool kNarrow = experts_narrow_tokens(kTokens) < kTokens;
  using Narrow = ExpertsGroupedSm90<Shape_, experts_narrow_tokens(kTokens_), kWarpgroups_, kStages_, kBlocks_>;
  static constexpr int kWarps = 4 * kWarpgroups_, kThreads = 32 * kWarps, kRows = 16 * kWarps;
  static constexpr int kColumns = Shape::kHidden > Shape::kIntermediate ? Shape::kHidden : Shape::kIntermediate;
  static constexpr int kSharedBytes = experts_grouped_shared_bytes(kRows, kTokens, kStages, kColumns);
  static_assert(Shape::kHidden % (kStages * kStepK) == 0 && Shape::kIntermediate % (kStages * kStepK) == 0,
                "a round of the loop is one turn of the ring");
};

/// Hopper, tiles of 8 tokens: shared memory holds all of a token's features, in lines of two blocks of 32 weights, and
/// the scales of the tile's rows.
constexpr int experts_few_row_bytes(int columns) { return ceil_div(columns, 64) * 128; }
constexpr int experts_few_shared_bytes(int rows, int tokens, int columns) {
  return tokens * experts_few_row_bytes(columns) + rows * ceil_div(columns, 32) + 1024 + 16; // alignment of both
}
/// kAhead steps of 128 features are under way.
template <class Shape_, int kTokens_, int kWarps_, int kAhead_, int kBlocks_> struct ExpertsFewSm90 {
  using Arch = Sm90;
  using Shape = Shape_;
  static constexpr int kTokens = kTokens_, kRowTiles = 1, kWarps = kWarps_, kAhead = kAhead_, kBlocks = kBlocks_;
  static constexpr bool kNarrow = false;
  static constexpr int kThreads = 32 * kWarps, kRows = 16 * kWarps;
  static constexpr int kColumns = Shape::kHidden > Shape::kIntermediate ? Shape::kHidden : Shape::kIntermediate;
  static constexpr int kSharedBytes = experts_few_shared_bytes(kRows, kTokens, kColumns);
  static_assert(kTokens % 8 == 0);
  static_assert(kWarps % 4 == 0, "four warps have the gates and ups of 32 features");
  static_assert(Shape::kHidden >= 128 * kAhead && Shape::kIntermediate >= 128 * kAhead);
};

/// Hopper, some dozens of tokens: blocks that stay (experts/stretch.cuh). A step is 128 features; shared memory holds
/// all of a token's, a ring of pieces of weights, the scales of two times 64 rows, and warpgroups' sums.
constexpr int kUnitRows = 64, kPieceElements = 64, kPieceBytes = kUnitRows * kPieceElements * 2;
constexpr int experts_stretch_row_bytes(int columns) { return ceil_div(columns, 128) * 256; }
constexpr int experts_stretch_shared_bytes(int tokens, int warpgroups, int stages, int columns) {
  return stages * kPieceBytes + tokens * experts_stretch_row_bytes(columns) + 2 * kUnitRows * ceil_div(columns, 32) +
         (warpgroups - 1) * tokens * kUnitRows * 4 + 1024;
}
/// Stages that a row's pieces allow: a warpgroup that is through with 64 rows must not find anything of theirs in use,
/// nor, being one of three, the sums that another still adds.
constexpr int experts_stretch_most_stages(int warpgroups, int columns) {
  const int rounds = ceil_div(ceil_div(columns, 256), warpgroups);
  return warpgroups == 2 ? (rounds - 1) * 2 : (rounds - 2) * warpgroups;
}
template <class Shape_, int kTokens_, int kWarpgroups_, int kStages_> struct ExpertsStretchSm90 {
  using Arch = Sm90;
  using Shape = Shape_;
  static constexpr int kTokens = kTokens_, kWarpgroups = kWarpgroups_, kStages = kStages_, kRowTiles = 1, kBlocks = 1;
  static constexpr int kWarps = 4 * kWarpgroups, kConsumers = 32 * kWarps, kThreads = kConsumers + 32;
  static_assert(kTokens % 8 == 0 && kWarpgroups >= 2);
  static_assert(Shape::kHidden % kUnitRows == 0);
  static_assert(kStages % kWarpgroups == 0, "a stage is one warpgroup's for good");
};

// ---- the gradient of a product: a sum over the matrix's rows, 64 a stage; a warp owns 64 columns ----

constexpr int kGradientColumns = 64;
/// Rows of a stage are padded by 16 bytes: the four rows that a lane group reads lie in different banks.
constexpr int experts_gradient_shared_bytes(int tokens, int warps, int stages) {
  const int columns = kGradientColumns * warps;
  return stages * (tokens * kStepK * 2 + kStepK * (columns / 2 + 16) + kStepK * columns / 32) + 1024;
}
template <class Arch_, int kTokens_, int kWarps_, int kStages_> struct ExpertsGradient {
  using Arch = Arch_;
  static constexpr int kTokens = kTokens_, kWarps = kWarps_, kStages = kStages_;
  static constexpr int kThreads = 32 * kWarps, kColumns = kGradientColumns * kWarps;
  static constexpr int kSharedBytes = experts_gradient_shared_bytes(kTokens, kWarps, kStages);
  static constexpr int kBlocks = blocks_together<Arch>(kThreads, 2 * kTokens, kSharedBytes);
  static_assert(kTokens % 16 == 0 && kStages >= 2);
};

/// Hopper: blocks that stay. Two warpgroups own 128 columns each and all of a tile's tokens, four warps more keep a
/// ring of stages filled: tokens, weights, and a word of factors for two rows and 32 columns.
constexpr int kGradientSm90Columns = 256, kGradientSm90Tokens = 176; // as many as registers hold the sums of
constexpr int experts_gradient_sm90_stage_bytes(int tokens) {
  return tokens * kStepK * 2 + kStepK * kGradientSm90Columns / 2 + kStepK / 2 * kGradientSm90Columns / 32 * 4;
}
/// Tokens of the next narrower of the products that a kernel has for tiles that they hold; `tokens`: there is none.
constexpr int experts_gradient_narrow(int tokens) {
  switch (tokens) {
  case 176:
    return 160;
  case 160:
    return 144;
  case 144:
    return 128;
  case 128:
    return 96;
  case 96:
    return 64;
  case 64:
    return 32;
  default:
    return tokens;
  }
}
template <int kTokens_, int kStages_> struct ExpertsGradientSm90 {
  using Arch = Sm90;
  static constexpr int kTokens = kTokens_, kStages = kStages_, kThreads = 384, kBlocks = 1;
  static constexpr int kColumns = kGradientSm90Columns;
  static constexpr int kTokenBytes = kTokens * kStepK * 2, kWeightBytes = kStepK * kColumns / 2;
  static constexpr int kStageBytes = experts_gradient_sm90_stage_bytes(kTokens);
  static constexpr int kSharedBytes = kStages * kStageBytes + 1024;  // alignment
  static constexpr int kFillRegisters = 56, kProductRegisters = 224; // a thread: 65536 of a block at most
  static_assert(kTokens % 16 == 0 && kTokens <= 256 && kStages >= 2);
  static_assert(kColumns / 2 == 128, "a row of weights is as long as a token's of a stage");
};

} // namespace maskjit::device
