// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chooses among what registers allow: a warp's share of the input stays in them, and its next weights are on their way.
#include "compiler/device/LinearTable.h"
#include "compiler/device/linear_few_schedules.h"
#include "compiler/device/linear_rows_schedules.h"
#include "compiler/device/step_args.h"
#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace maskjit {

static constexpr int64_t kStepIn = 32, kMostWarps = 16;
static constexpr int64_t kMostSteps = 8;      // of a warp with 8 rows: 64 registers of weights, 32 of input
static constexpr int64_t kMostAheadTwice = 3; // of two tiles: 48 registers of weights, 32 of sums
static constexpr int64_t kMostAheadKept = 6;  // of one: 48 of weights, 16 of sums

/// Warps and their steps with the least padding, of equal ones the most warps.
static std::pair<int64_t, int64_t> shares(int64_t in, bool fewRows) {
  const int64_t steps = (in + kStepIn - 1) / kStepIn;
  std::pair<int64_t, int64_t> best = {0, 0};
  for (int64_t warps = std::min(kMostWarps, steps); warps >= 1; --warps) {
    const int64_t each = (steps + warps - 1) / warps;
    if (fewRows && each > kMostSteps && best.first)
      break;
    if (!best.first || warps * each < best.first * best.second)
      best = {warps, each};
  }
  return best;
}

// ---- linear_few ----

static constexpr int64_t kFewMostFeatures = 8192; // of all matrices: beyond, a ring holds too little of a block's share
static constexpr int64_t kFewLeastWarps = 8, kFewMostWarps = 12;
static constexpr int64_t kFewMostSteps = 8; // of a warp in a part: 64 registers of input
/// Shared memory of a multiprocessor, and what a block takes besides its own.
static constexpr int kHopperMemory = 228 * 1024, kBlockReserve = 1024;

static int64_t allFeatures(const LinearShape &shape) {
  return std::accumulate(shape.features.begin(), shape.features.end(), int64_t(0));
}

/// As many warps as waste least, of equal ones the fewest.
static int64_t fewWarps(int64_t in) {
  const int64_t steps = (in / device::kFewParts + kStepIn - 1) / kStepIn;
  int64_t best = kFewLeastWarps;
  auto padded = [&](int64_t warps) { return (steps + warps - 1) / warps * warps; };
  for (int64_t warps = kFewLeastWarps; warps <= kFewMostWarps; ++warps)
    if (padded(warps) < padded(best))
      best = warps;
  return best;
}

static bool isLinearOfFew(const LinearShape &shape) {
  const int64_t warps = fewWarps(shape.in);
  return shape.arch == "sm_90a" && shape.rows <= device::kFewRows && !shape.adapted && shape.in % 16 == 0 &&
         shape.in <= device::kFewParts * kStepIn * warps * kFewMostSteps && shape.head % 8 == 0 &&
         allFeatures(shape) <= kFewMostFeatures;
}

static LinearSchedule fewSchedule(const LinearShape &shape) {
  const int in = static_cast<int>(shape.in), warps = static_cast<int>(fewWarps(shape.in));
  const int round = allFeatures(shape) <= kFewMostFeatures / 2 ? 4 : 6; // about what one of 132 blocks has
  const int fixed = device::linear_few_static_bytes(warps, round);
  const int room = kHopperMemory - 2 * kBlockReserve - device::kDecodeBlockBytes;
  const int slots = std::min((room - fixed) / device::linear_few_slot_bytes(in), device::kFewMostSlots);
  LinearSchedule schedule;
  schedule.function = "linear_few";
  schedule.type = fmt::format("LinearFew<{}, {}, {}, {}, {}>", in, warps, slots, round, shape.head);
  schedule.bounds = "kBoundThreads";
  schedule.threads = 32 * (warps + 1);
  schedule.sharedBytes = slots * device::linear_few_slot_bytes(in);
  schedule.tileFeatures = device::kFewFeatures;
  schedule.rows = device::kFewRows;
  return schedule;
}

Result<LinearSchedule> linearSchedule(const LinearShape &shape) {
  if (shape.in % 8)
    return Error{fmt::format("products read 8 input features at a time, got {}", shape.in)};
  for (int64_t features : shape.features)
    if (features % 16)
      return Error{fmt::format("a matrix has a multiple of 16 features, got {}", features)};
  if (isLinearOfFew(shape))
    return fewSchedule(shape);
  const bool fewRows = shape.rows <= 8;
  const auto [warps, steps] = shares(shape.in, fewRows);
  const int groups = shape.rows <= 8 ? 1 : shape.rows <= 16 ? 2 : 4;
  // The least of the architectures that share a family; Hopper and its successors but sm_120 have 227 KB.
  const bool large = shape.arch == "sm_90a" || shape.arch == "sm_100" || shape.arch == "sm_103";
  const int64_t limit = shape.arch == "sm_75" ? 64 * 1024 : large ? 227 * 1024 : 99 * 1024;
  const int warpCount = static_cast<int>(warps),
            keptBytes = device::linear_kept_bytes(static_cast<int>(shape.in), warpCount, groups);
  const bool kept = !fewRows && keptBytes + device::linear_shared_bytes(warpCount, 1, groups) <= limit;
  const bool even = std::all_of(shape.features.begin(), shape.features.end(), [](int64_t f) { return f % 32 == 0; });
  // Input that is read again for each tile is read half as often for tiles twice as large.
  const bool twice = !fewRows && !kept && even && device::linear_shared_bytes(warpCount, 2, groups) <= limit;
  const int tiles = twice ? 2 : 1;
  int64_t ahead = std::min(steps, twice ? kMostAheadTwice : kept ? kMostAheadKept : kMostSteps);
  while (steps % ahead)
    --ahead;
  LinearSchedule schedule;
  schedule.type = fmt::format("LinearRows<{}, {}, {}, {}, {}, {}, {}{}>", shape.arch == "sm_75" ? "Sm75" : "Sm80",
                              shape.in, warps, ahead, tiles, groups, shape.head, kept ? ", true" : "");
  schedule.threads = static_cast<int>(32 * warps);
  schedule.sharedBytes = (kept ? keptBytes : 0) + device::linear_shared_bytes(warpCount, tiles, groups);
  schedule.tileFeatures = 16 * tiles;
  schedule.rows = 8 * groups;
  return schedule;
}

std::optional<LinearSchedule> linearSm90Schedule(const LinearShape &shape) {
  // Clusters of four fill 120 of Hopper's 132 multiprocessors; odd ones leave more idle.
  constexpr int kLeastRows = 17, kMostRows = 256, kRing = 200 * 1024, kMostStages = 8, kMostBlocks = 120;
  if (shape.arch != "sm_90a" || shape.dtype != DType::BF16 || shape.norm || shape.rows < kLeastRows || shape.in % 8)
    return std::nullopt;
  const int perHead = shape.head / 16; // blocks of 16 features, of which a tile takes whole heads or a part of one
  if (shape.head % 16 || !(perHead <= 2 || perHead % 4 == 0))
    return std::nullopt;
  int64_t tiles = 0;
  for (int64_t features : shape.features) {
    const bool whole = shape.adapted && shape.features.size() > 1; // a pair of tiles has one matrix's adapter
    if (features % (device::kLinearTile * (whole ? 2 : 1)) || (shape.head && features % shape.head))
      return std::nullopt;
    tiles += features / device::kLinearTile;
  }
  const int64_t blocksOfRows = (shape.rows + kMostRows - 1) / kMostRows;
  int rows = 0;
  for (int each : {256, 192, 128, 96, 64, 32})
    if (each * blocksOfRows >= shape.rows)
      rows = each;
  const int64_t pairs = (tiles + 1) / 2 * blocksOfRows,
                steps = (shape.in + device::kLinearStep - 1) / device::kLinearStep;
  int split = 8;
  while (split > 1 && (pairs * split > kMostBlocks || (split - 1) * ((steps + split - 1) / split) >= steps))
    split /= 2;
  const int stages = std::min(kMostStages, kRing / device::linear_stage_bytes(rows));
  LinearSchedule schedule;
  schedule.function = "linear_rows_sm90";
  schedule.type = fmt::format("LinearRowsSm90<{}, {}, {}, {}, {}>", shape.in, rows, stages, split, shape.head);
  schedule.threads = 2 * 128 + 32;
  schedule.sharedBytes = device::linear_sm90_shared_bytes(rows, stages, split);
  schedule.tileFeatures = device::kLinearTile;
  schedule.rows = rows;
  schedule.split = split;
  return schedule;
}

Result<LinearSchedule> linearNf4FusedSchedule(const LinearShape &shape, bool nested) {
  constexpr int64_t kBlock = device::kNf4Block;
  if (shape.in % kBlock)
    return Error{fmt::format("an NF4 matrix has input features in multiples of {}, got {}", kBlock, shape.in)};
  for (int64_t features : shape.features)
    if (features % 16)
      return Error{fmt::format("a matrix has a multiple of 16 features, got {}", features)};
  // More rows need more registers a warp: fewer warps, each with longer stretches.
  const int groups = shape.rows <= 8 ? 1 : shape.rows <= 16 ? 2 : 4, blocks = static_cast<int>(shape.in / kBlock);
  const int most = groups == 1 ? 16 : groups == 2 ? 9 : 5, steps = (blocks + most - 1) / most;
  const int warps = (blocks + steps - 1) / steps;
  if (groups == 1 && steps > 8)
    return Error{
        fmt::format("up to {} input features of an NF4 matrix stay in registers, got {}", 8 * most * kBlock, shape.in)};
  LinearSchedule schedule;
  schedule.type = fmt::format("LinearNf4Fused<{}, {}, {}, {}, {}, {}>", shape.arch == "sm_75" ? "Sm75" : "Sm80",
                              shape.in, warps, groups, shape.head, nested);
  schedule.threads = 32 * warps;
  schedule.sharedBytes = device::linear_nf4_fused_bytes(warps, groups);
  schedule.tileFeatures = 16;
  schedule.rows = 8 * groups;
  return schedule;
}

} // namespace maskjit
