// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Schedules of the NF4 linear kernels: tiles, threads and shared memory, the same numbers for host and device.
#pragma once
#include "schedules.h"

namespace maskjit::device {

constexpr int kNf4Block = 64;                        // weights that share an absmax
constexpr int kNf4Copies = 16;                       // a load of 8 bytes serves half a warp at a time
constexpr int kNf4TableBytes = 256 * kNf4Copies * 8; // [byte of codes][copy] pairs of fp32

/// Few rows: a block owns 16 features, its warps share the input features.
constexpr int linear_nf4_shared_bytes(int warps, int groups) {
  return kNf4TableBytes + 256 * 4 + 4 * warps * 16 * 8 * groups; // both tables, sums of the warps
}
/// kIn: input features. kAhead: blocks of 64 of them under way. kGroups: groups of 8 input rows; rows past the last
/// repeat it and are not stored.
template <class Arch_, int kIn_, int kWarps_, int kAhead_, int kGroups_, bool kNested_> struct LinearNf4 {
  using Arch = Arch_;
  static constexpr int kIn = kIn_, kWarps = kWarps_, kAhead = kAhead_, kGroups = kGroups_;
  static constexpr bool kNested = kNested_;
  static constexpr int kBlocksIn = kIn / kNf4Block, kSteps = (kBlocksIn + kWarps - 1) / kWarps;
  static constexpr bool kWhole = kSteps * kWarps == kBlocksIn;
  static constexpr int kThreads = kWarps * 32, kFeatures = 16, kRows = 8 * kGroups;
  static constexpr int kSharedBytes = linear_nf4_shared_bytes(kWarps, kGroups);
  static_assert(kIn % kNf4Block == 0 && kAhead <= kSteps);
};

/// 17 to 64 rows on Hopper: blocks of many features, whose input features the blocks of a cluster share. kTiles: of 16
/// features a warp; kTeamWarps warps take a block of 64 input features together, kTeams teams take them in turn, each
/// with a ring of kStages.
constexpr int linear_nf4_stage_bytes(int rows, int features) { return rows * (kNf4Block * 2 + 16) + features * 32; }
/// A row of a team's sums: padded so that rows two apart start eight banks apart.
constexpr int linear_nf4_sums_row(int features) { return features + 4; }
/// Rows that a block of the cluster finishes.
constexpr int linear_nf4_rows_each(int rows, int cluster) { return (rows + cluster - 1) / cluster; }
constexpr int linear_nf4_split_shared_bytes(int rows, int features, int teams, int stages, int cluster) {
  const int ring = teams * stages * linear_nf4_stage_bytes(rows, features);
  const int sums = teams * rows * linear_nf4_sums_row(features) * 4;
  const int exchange = cluster == 1 ? 0 : cluster * linear_nf4_rows_each(rows, cluster) * features * 4;
  return kNf4TableBytes + exchange + (ring > sums ? ring : sums);
}
template <class Arch_, int kIn_, int kRows_, int kTiles_, int kTeamWarps_, int kTeams_, int kStages_, int kCluster_,
          bool kNested_>
struct LinearNf4Split {
  using Arch = Arch_;
  static constexpr int kIn = kIn_, kRows = kRows_, kTiles = kTiles_, kTeamWarps = kTeamWarps_, kTeams = kTeams_;
  static constexpr int kStages = kStages_, kCluster = kCluster_;
  static constexpr bool kNested = kNested_;
  static constexpr int kBlocksIn = kIn / kNf4Block, kShare = (kBlocksIn + kCluster - 1) / kCluster;
  static constexpr int kSteps = (kShare + kTeams - 1) / kTeams, kAhead = kStages >= kSteps ? kSteps : kStages - 1;
  static constexpr int kThreads = 32 * kTeamWarps * kTeams, kFeatures = 16 * kTiles * kTeamWarps;
  static constexpr int kInputRow = kNf4Block * 2 + 16, kInputBytes = kRows * kInputRow; // rows lie in different banks
  static constexpr int kStageBytes = linear_nf4_stage_bytes(kRows, kFeatures);
  static constexpr int kSumsRow = linear_nf4_sums_row(kFeatures), kTeamBytes = kRows * kSumsRow * 4;
  static constexpr int kRowsEach = linear_nf4_rows_each(kRows, kCluster);
  static constexpr int kExchangeBytes = kCluster == 1 ? 0 : kCluster * kRowsEach * kFeatures * 4;
  static constexpr int kSharedBytes = linear_nf4_split_shared_bytes(kRows, kFeatures, kTeams, kStages, kCluster);
  static_assert(kIn % kNf4Block == 0 && kRows % 8 == 0 && kAhead >= 1);
};

/// Many rows on Hopper: two blocks of a cluster share the input rows; in each of them two consumer warpgroups own 64
/// features each, and one more warp fills the ring. Of a gradient kIn are the features that are summed over, and
/// columns of the weight take the place of features.
constexpr int kNf4WideFeatures = 128, kNf4WideCluster = 2;
constexpr int linear_nf4_wide_shared_bytes(int rows, int stages) {
  return kNf4TableBytes + stages * (kNf4WideFeatures * kNf4Block / 2 + rows * kNf4Block * 2) + 1024; // alignment
}
template <int kIn_, int kRows_, int kStages_, bool kNested_, bool kGradient_> struct LinearNf4Wide {
  static constexpr int kIn = kIn_, kRows = kRows_, kStages = kStages_;
  static constexpr bool kNested = kNested_, kGradient = kGradient_;
  static constexpr int kWarpgroups = 2, kCluster = kNf4WideCluster, kFeatures = kNf4WideFeatures;
  static constexpr int kConsumers = 128 * kWarpgroups, kThreads = kConsumers + 32;
  static constexpr int kSteps = (kIn + kNf4Block - 1) / kNf4Block;
  static constexpr int kInputBytes = kRows * kNf4Block * 2, kStageBytes = kInputBytes + kFeatures * kNf4Block / 2;
  static constexpr int kSharedBytes = linear_nf4_wide_shared_bytes(kRows, kStages);
  static_assert(kGradient || kIn % kNf4Block == 0);
  static_assert(kRows % (8 * kCluster) == 0, "each block brings whole swizzle blocks of the input");
};

} // namespace maskjit::device
