// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/device/LinearNf4Table.h"
#include "compiler/device/linear_nf4_schedules.h"
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace maskjit {
namespace {

constexpr int kFewClasses[] = {8, 16, 32}, kSplitClasses[] = {8, 16, 32, 64};
constexpr int kWideRows[] = {48, 80, 112, 144, 176, 192}; // more registers than that a block has not
bool hasSplit(const LinearNf4Spec &spec) { return spec.arch == "sm_90a"; }
bool hasWide(const LinearNf4Spec &spec) { return spec.arch == "sm_90a" && spec.dtype == DType::BF16; }

Result<void> checkSpec(const LinearNf4Spec &spec) {
  const std::vector<std::string> &archs = architectures();
  if (std::find(archs.begin(), archs.end(), spec.arch) == archs.end())
    return Error{fmt::format("no kernels for architecture '{}'; there are for {}", spec.arch, fmt::join(archs, ", "))};
  if (spec.dtype == DType::F32)
    return Error{"an NF4 linear layer on CUDA takes fp16 and bf16 activations, got fp32; convert them, or use the CPU"};
  if (spec.arch == "sm_75" && spec.dtype == DType::BF16)
    return Error{"sm_75 has no bf16; convert the activations to fp16"};
  if (spec.in < device::kNf4Block || spec.in % device::kNf4Block)
    return Error{
        fmt::format("an NF4 linear layer has input features in multiples of {}, got {}", device::kNf4Block, spec.in)};
  if (spec.gradient && !hasWide(spec))
    return Error{fmt::format("the gradient of an NF4 linear layer has a kernel for bf16 on sm_90a, not for {} on {}; "
                             "dequantize the matrix",
                             spec.dtype == DType::F16 ? "fp16" : "bf16", spec.arch)};
  return {};
}

/// The fewest warps from eight on that share the blocks evenly, at most five each; else as many as help.
int warpsFor(int blocks) {
  for (int warps = 8; warps <= 16; ++warps)
    if (blocks % warps == 0 && blocks / warps <= 5)
      return warps;
  return std::min(blocks, 16);
}

LinearNf4Schedule few(const LinearNf4Spec &spec) {
  const int groups = spec.rows / 8, blocks = spec.in / device::kNf4Block;
  // Of 32 rows the operands leave registers for few warps only, each with longer stretches.
  const int warps = groups == 4 ? (blocks % 5 ? std::min(blocks, 4) : 5) : warpsFor(blocks);
  const int steps = (blocks + warps - 1) / warps;
  // All of a warp's codes at once where they fit beside everything else without spills.
  const int ahead = std::min(steps, groups == 1 && spec.arch == "sm_90a" ? 5 : 3);
  LinearNf4Schedule schedule;
  schedule.type = fmt::format("LinearNf4<{}, {}, {}, {}, {}, {}>", spec.arch == "sm_75" ? "Sm75" : "Sm80", spec.in,
                              warps, ahead, groups, spec.nested);
  schedule.kernel = "linear_nf4_rows";
  schedule.threads = 32 * warps;
  schedule.sharedBytes = device::linear_nf4_shared_bytes(warps, groups);
  schedule.tileFeatures = 16;
  schedule.tileRows = spec.rows;
  return schedule;
}

/// Of the clusters and teams that fit the one with the least work of a multiprocessor, in cycles.
LinearNf4Schedule split(const LinearNf4Spec &spec) {
  constexpr int kMost = 227 * 1024;
  constexpr double kBytesACycle = 20; // of a multiprocessor from the second-level cache
  constexpr double kBegin = 6000;     // of a block, until its first sums
  const int blocks = spec.in / device::kNf4Block, rows = spec.rows;
  const int tiles = rows == 32 ? 3 : 2, mostWarps = rows == 32 ? 16 : 12; // what sums leave registers for
  LinearNf4Schedule best;
  double least = 0;
  for (int cluster : {1, 2, 4})
    for (int teamWarps : {1, 2, 3, 4, 6}) {
      const int share = (blocks + cluster - 1) / cluster, most = std::min(mostWarps / teamWarps, share);
      const int steps = (share + most - 1) / most, teams = (share + steps - 1) / steps;
      const int features = 16 * tiles * teamWarps;
      auto bytes = [&](int stages) {
        return device::linear_nf4_split_shared_bytes(rows, features, teams, stages, cluster);
      };
      int stages = steps;
      while (stages > 2 && bytes(stages) > kMost)
        --stages;
      if (cluster > blocks || bytes(stages) > kMost)
        continue;
      // Clusters of two and four leave some multiprocessors over: those of a group of 16 or 18 that fit none.
      const int resident = cluster == 1   ? spec.multiprocessors
                           : cluster == 2 ? spec.multiprocessors / 2 - 2
                                          : spec.multiprocessors * 23 / 100;
      const int wanted = (spec.features + features - 1) / features, waves = (wanted + resident - 1) / resident;
      // Rows of 128 bytes of shared memory, one a cycle: table, input written and read, codes, sums.
      const double shared = steps * teams * (2. * features + rows * (1. + teamWarps) + features / 2.) +
                            2. * teams * rows * features * 4 / 128;
      const double cached = share * (rows * 128. + features * 36.) / kBytesACycle;
      const double cost = waves * (kBegin + shared + cached / 2); // half of it under the rest
      if (best.threads && cost >= least)
        continue;
      least = cost;
      best.type = fmt::format("LinearNf4Split<Sm80, {}, {}, {}, {}, {}, {}, {}, {}>", spec.in, rows, tiles, teamWarps,
                              teams, stages, cluster, spec.nested);
      best.kernel = "linear_nf4_split";
      best.alone = true;
      best.threads = 32 * teamWarps * teams;
      best.sharedBytes = bytes(stages);
      best.tileFeatures = features;
      best.tileRows = rows;
      best.cluster = cluster;
    }
  return best;
}

int summed(const LinearNf4Spec &spec) { return spec.gradient ? spec.features : spec.in; }
int columns(const LinearNf4Spec &spec) { return spec.gradient ? spec.in : spec.features; }

LinearNf4Schedule wide(const LinearNf4Spec &spec) {
  constexpr int kMost = 227 * 1024 - 1024; // barriers
  int stages = 8;
  while (device::linear_nf4_wide_shared_bytes(spec.rows, stages) > kMost)
    --stages;
  LinearNf4Schedule schedule;
  schedule.type =
      fmt::format("LinearNf4Wide<{}, {}, {}, {}, {}>", summed(spec), spec.rows, stages, spec.nested, spec.gradient);
  schedule.kernel = "linear_nf4_wide";
  schedule.maps = schedule.alone = true;
  schedule.threads = 128 * device::kNf4WideFeatures / 64 + 32;
  schedule.sharedBytes = device::linear_nf4_wide_shared_bytes(spec.rows, stages);
  schedule.cluster = device::kNf4WideCluster;
  schedule.tileFeatures = schedule.cluster * device::kNf4WideFeatures;
  schedule.tileRows = spec.rows;
  return schedule;
}

/// Cycles of a wide kernel with tiles of `tile` rows, as measured on an H100: a step of 64 summed features takes some
/// for its weights and some a row; a wave of blocks begins and ends.
double wideCost(const LinearNf4Spec &spec, int64_t rows, int tile) {
  const double step = spec.gradient ? 1200 + 1.7 * tile : 680 + 3.5 * tile;
  const int64_t steps = (summed(spec) + device::kNf4Block - 1) / device::kNf4Block;
  constexpr int kPair = device::kNf4WideCluster * device::kNf4WideFeatures;
  const int64_t clusters = (columns(spec) + kPair - 1) / kPair * ((rows + tile - 1) / tile);
  const int64_t resident = spec.multiprocessors / device::kNf4WideCluster;
  return double((clusters + resident - 1) / resident) * (4000 + 40 * tile + double(steps) * step);
}

/// The classes that one row tile serves.
std::vector<int> singleClasses(const LinearNf4Spec &spec) {
  if (spec.gradient)
    return {};
  if (hasSplit(spec))
    return {std::begin(kSplitClasses), std::end(kSplitClasses)};
  return {std::begin(kFewClasses), std::end(kFewClasses)};
}

} // namespace

std::vector<int> linearNf4RowClasses(const LinearNf4Spec &spec) {
  std::vector<int> classes = singleClasses(spec);
  if (hasWide(spec))
    classes.insert(classes.end(), std::begin(kWideRows), std::end(kWideRows));
  std::sort(classes.begin(), classes.end());
  return classes;
}

Result<int> linearNf4Rows(const LinearNf4Spec &spec, int64_t rows) {
  if (Result<void> fits = checkSpec(spec); !fits)
    return fits.error();
  const std::vector<int> single = singleClasses(spec);
  for (int each : single)
    if (rows <= each)
      return each;
  if (!hasWide(spec))
    return single.back();
  return *std::min_element(std::begin(kWideRows), std::end(kWideRows),
                           [&](int a, int b) { return wideCost(spec, rows, a) < wideCost(spec, rows, b); });
}

Result<LinearNf4Schedule> linearNf4Schedule(const LinearNf4Spec &spec) {
  if (Result<void> fits = checkSpec(spec); !fits)
    return fits.error();
  const std::vector<int> classes = linearNf4RowClasses(spec);
  if (std::find(classes.begin(), classes.end(), spec.rows) == classes.end())
    return Error{fmt::format("no NF4 linear kernel of class {} on {}; there are {}", spec.rows, spec.arch,
                             fmt::join(classes, ", "))};
  const std::vector<int> single = singleClasses(spec);
  if (std::find(single.begin(), single.end(), spec.rows) == single.end())
    return wide(spec);
  return spec.rows > 16 && hasSplit(spec) ? split(spec) : few(spec);
}

} // namespace maskjit
