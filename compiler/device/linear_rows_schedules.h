// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Schedules of linear_rows_sm90: tiles, stages, clusters and shared memory, the same numbers for host and device.
#pragma once

namespace maskjit::device {

constexpr int kLinearTile = 64, kLinearStep = 64; // features of a warpgroup, summed features of a stage

constexpr int linear_stage_bytes(int rows) { return 2 * kLinearStep * (rows + 2 * kLinearTile); }
/// Sums that the blocks of a cluster send to one of them.
constexpr int linear_exchange_bytes(int rows, int split) {
  return split == 1 ? 0 : split * 2 * ((rows / 8 + split - 1) / split) * 128 * 16;
}
constexpr int linear_sm90_shared_bytes(int rows, int stages, int split) {
  const int ring = stages * linear_stage_bytes(rows), sums = linear_exchange_bytes(rows, split);
  return (ring > sums ? ring : sums) + 1024; // alignment
}

/// kIn: input features, which the kSplit blocks of a cluster share. kHead: 0, or the head dimension whose halves are
/// paired.
template <int kIn_, int kRows_, int kStages_, int kSplit_, int kHead_> struct LinearRowsSm90 {
  static constexpr int kIn = kIn_, kRows = kRows_, kStages = kStages_, kSplit = kSplit_;
  static constexpr int kHead = kHead_, kFeatures = kLinearTile, kTiles = kFeatures / 16;
  static constexpr int kWarpgroups = 2, kThreads = 128 * kWarpgroups + 32;
  static constexpr int kAllSteps = (kIn + kLinearStep - 1) / kLinearStep, kSteps = (kAllSteps + kSplit - 1) / kSplit;
  static constexpr int kGroups = kRows / 8, kGroupsEach = (kGroups + kSplit - 1) / kSplit;
  static constexpr int kInputBytes = 2 * kLinearStep * kRows, kTileBytes = 2 * kLinearStep * kFeatures;
  static constexpr int kStageBytes = linear_stage_bytes(kRows);
  static constexpr int kSharedBytes = linear_sm90_shared_bytes(kRows, kStages, kSplit);
  static_assert((kSplit - 1) * kSteps < kAllSteps, "every block has some");
};

} // namespace maskjit::device
