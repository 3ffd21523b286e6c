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
  static constexpr int kThreads = kWarps * 32, kFeatures = 16, kRows = 8 * kGroups;
  static constexpr int kSharedBytes = linear_nf4_shared_bytes(kWarps, kGroups);
  static_assert(kIn % kNf4Block == 0 && kAhead <= kSteps);
};

/// Many rows on Hopper: a consumer warpgroup owns 64 features, one more warp fills the ring.
constexpr int linear_nf4_wide_shared_bytes(int features, int rows, int stages) {
  return kNf4TableBytes + stages * (features * kNf4Block / 2 + rows * kNf4Block * 2) + 1024; // alignment
}
template <int kIn_, int kRows_, int kWarpgroups_, int kStages_, bool kNested_> struct LinearNf4Wide {
  static constexpr int kIn = kIn_, kRows = kRows_, kWarpgroups = kWarpgroups_, kStages = kStages_;
  static constexpr bool kNested = kNested_;
  static constexpr int kConsumers = 128 * kWarpgroups, kThreads = kConsumers + 32;
  static constexpr int kFeatures = 64 * kWarpgroups, kSteps = kIn / kNf4Block;
  static constexpr int kInputBytes = kRows * kNf4Block * 2, kStageBytes = kInputBytes + kFeatures * kNf4Block / 2;
  static constexpr int kSharedBytes = linear_nf4_wide_shared_bytes(kFeatures, kRows, kStages);
  static_assert(kIn % kNf4Block == 0 && kStageBytes % 1024 == 0, "stages start at multiples of a swizzle block");
};

} // namespace maskjit::device
