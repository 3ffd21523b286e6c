// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/device/ExpertsTable.h"
#include "compiler/device/experts_args.h"
#include "compiler/device/experts_schedules.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace maskjit {
namespace {

using device::kExpertsFewClass;

bool hopper(const ExpertsSpec &spec) { return spec.arch == "sm_90a" && spec.dtype == DType::BF16; }

/// Stages that the columns of both products are a multiple of; 0 if neither 5 nor 3 fits.
int stagesFor(const ExpertsSpec &spec, std::initializer_list<int> wanted) {
  for (int stages : wanted) {
    const int columns = stages * device::kStepK;
    if (spec.hidden % columns == 0 && (spec.kind == ExpertsKind::Linear || spec.intermediate % columns == 0))
      return stages;
  }
  return 0;
}
bool wgmmaFits(const ExpertsSpec &spec) { return hopper(spec) && stagesFor(spec, {5, 3}) != 0; }
bool singleFits(const ExpertsSpec &spec) {
  return spec.kind == ExpertsKind::Layer && hopper(spec) && spec.intermediate % 64 == 0 && spec.expertsPerToken <= 4 &&
         device::experts_rows_slots(spec.hidden, spec.intermediate, 2) >= 2;
}

/// Whether both products are one launch of experts/line.cuh, whatever the number of tokens.
bool inLine(const ExpertsSpec &spec) { return spec.format != WeightFormat::Mxfp4; }
/// Tokens of such a launch: a lane holds a pair.
int lineTokens(const ExpertsSpec &spec) { return std::min(8, 32 / std::max(1, spec.expertsPerToken)); }

/// Columns of the longest row that the products sum over: what a tile's scales are.
int columnsOf(const ExpertsSpec &spec) {
  return spec.kind == ExpertsKind::Linear ? spec.hidden : std::max(spec.hidden, spec.intermediate);
}

Result<void> checkSpec(const ExpertsSpec &spec) {
  const std::vector<std::string> &archs = architectures();
  if (std::find(archs.begin(), archs.end(), spec.arch) == archs.end())
    return Error{fmt::format("no kernels for architecture '{}'; there are for {}", spec.arch, fmt::join(archs, ", "))};
  if (spec.dtype == DType::F32)
    return Error{"experts on CUDA take fp16 and bf16 activations, got fp32; convert them, or use the CPU"};
  if (spec.arch == "sm_75" && spec.dtype == DType::BF16)
    return Error{"sm_75 has no bf16; convert the activations to fp16"};
  for (int size : {spec.hidden, spec.intermediate})
    if (size < 32 || size % 32)
      return Error{fmt::format("experts have sizes that are multiples of 32, got hidden {} and intermediate {}",
                               spec.hidden, spec.intermediate)};
  if (spec.expertsPerToken < 1 || spec.expertsPerToken > 8)
    return Error{fmt::format("1 to 8 experts a token, got {}", spec.expertsPerToken)};
  if (inLine(spec) && spec.kind != ExpertsKind::Layer)
    return Error{"experts with 16-bit weights or in NF4 have a kernel of the whole layer, none of a single product"};
  for (int size : {spec.hidden, spec.intermediate})
    if (spec.format == WeightFormat::Nf4 && size % device::kNf4Block)
      return Error{fmt::format("experts in NF4 have sizes that are multiples of {}, got hidden {} and intermediate {}",
                               device::kNf4Block, spec.hidden, spec.intermediate)};
  return {};
}

/// Every architecture, 16-bit weights, few tokens.
ExpertsSchedule denseLaunch(const ExpertsSpec &spec) {
  const char *family = spec.arch == "sm_75" ? "Sm75" : "Sm80";
  const int warps = device::kDenseTileBlocks * device::kDenseShares;
  ExpertsSchedule schedule;
  schedule.type = fmt::format("ExpertsDense<{}, Shape, {}, {}, {}>", family, device::kDenseTileBlocks,
                              device::kDenseShares, device::kDenseAhead);
  schedule.family = family;
  schedule.single = true;
  schedule.tileTokens = lineTokens(spec), schedule.tileRows = 64 * device::kDenseTileBlocks;
  schedule.stages = device::kDenseAhead, schedule.warps = warps, schedule.threads = 32 * warps;
  return schedule;
}

/// The same over NF4.
ExpertsSchedule nf4Launch(const ExpertsSpec &spec) {
  const char *family = spec.arch == "sm_75" ? "Sm75" : "Sm80";
  const int warps = device::kDenseTileBlocks * device::kExpertsNf4Shares, ahead = device::kExpertsNf4Ahead;
  ExpertsSchedule schedule;
  schedule.type = fmt::format("ExpertsNf4<{}, Shape, {}, {}>", family, device::kExpertsNf4Shares, ahead);
  schedule.family = family;
  schedule.single = true;
  schedule.tileTokens = lineTokens(spec), schedule.tileRows = 64 * device::kDenseTileBlocks;
  schedule.stages = ahead, schedule.warps = warps, schedule.threads = 32 * warps;
  schedule.sharedBytes = device::kExpertsNf4SharedBytes;
  return schedule;
}

/// Hopper, few tokens: two groups of warps hold the activations of 4 tokens, one those of 8.
ExpertsSchedule singleLaunch(const ExpertsSpec &spec) {
  const int groups = spec.rows == 4 ? 2 : 1, warps = groups * device::kRowsWarps;
  const int slots = device::experts_rows_slots(spec.hidden, spec.intermediate, groups);
  ExpertsSchedule schedule;
  schedule.type = fmt::format("ExpertsRows<Shape, {}>", groups);
  schedule.family = "Sm90";
  schedule.single = true;
  schedule.tileTokens = device::experts_rows_tokens(groups), schedule.tileRows = device::kRowsTile;
  schedule.stages = slots, schedule.warps = warps, schedule.threads = 32 * (warps + 1);
  schedule.sharedBytes = slots * device::experts_rows_slot_bytes(spec.hidden, spec.intermediate);
  return schedule;
}

/// Hopper, few tokens an expert: 24 warps a multiprocessor, each with four steps of its rows under way.
constexpr int kFewWarps = 8, kFewAhead = 4, kFewBlocks = 3;
bool fewFits(const ExpertsSpec &spec) {
  const int columns = 128 * kFewAhead, rows = 16 * kFewWarps, tokens = device::experts_tile_tokens(kExpertsFewClass);
  return spec.kind == ExpertsKind::Layer && hopper(spec) && spec.hidden >= columns && spec.intermediate >= columns &&
         spec.hidden % 64 == 0 &&
         kFewBlocks * device::experts_few_shared_bytes(rows, tokens, columnsOf(spec)) <= device::Sm90::kSharedLimit;
}
ExpertsSchedule fewTokens(const ExpertsSpec &spec) {
  const int tokens = device::experts_tile_tokens(spec.rows), rows = 16 * kFewWarps;
  ExpertsSchedule schedule;
  schedule.type = fmt::format("ExpertsFewSm90<Shape, {}, {}, {}, {}>", tokens, kFewWarps, kFewAhead, kFewBlocks);
  schedule.family = "Sm90";
  schedule.tileTokens = tokens, schedule.tileRows = rows;
  schedule.stages = kFewAhead, schedule.warps = kFewWarps, schedule.threads = 32 * kFewWarps;
  schedule.sharedBytes = device::experts_few_shared_bytes(rows, tokens, columnsOf(spec));
  return schedule;
}

/// Hopper, one class: blocks that stay. Three warpgroups, of short rows two, and as many stages as there is room for.
constexpr int kStretchClass = 24, kStretchMostStages = 6;
int stretchStages(const ExpertsSpec &spec, int groups) {
  constexpr int kBarriers = 512; // and the tile's pairs
  const int none = device::experts_stretch_shared_bytes(kStretchClass, groups, 0, columnsOf(spec));
  const int stages =
      std::min({(device::Sm90::kSharedLimit - kBarriers - none) / device::kPieceBytes, kStretchMostStages,
                device::experts_stretch_most_stages(groups, std::min(spec.hidden, spec.intermediate))});
  return std::max(stages, 0) / groups * groups;
}
int stretchGroups(const ExpertsSpec &spec) { return stretchStages(spec, 3) ? 3 : 2; }
bool stretchFits(const ExpertsSpec &spec) {
  return spec.kind == ExpertsKind::Layer && hopper(spec) && spec.hidden % device::kUnitRows == 0 &&
         stretchStages(spec, 2) > 0;
}
ExpertsSchedule stretch(const ExpertsSpec &spec) {
  const int groups = stretchGroups(spec), stages = stretchStages(spec, groups), warps = 4 * groups;
  ExpertsSchedule schedule;
  schedule.type = fmt::format("ExpertsStretchSm90<Shape, {}, {}, {}>", spec.rows, groups, stages);
  schedule.family = "Sm90";
  schedule.maps = true;
  schedule.tileTokens = spec.rows, schedule.tileRows = device::kUnitRows;
  schedule.stages = stages, schedule.warps = warps, schedule.threads = 32 * (warps + 1);
  schedule.sharedBytes = device::experts_stretch_shared_bytes(spec.rows, groups, stages, columnsOf(spec));
  return schedule;
}

ExpertsSchedule wgmma(const ExpertsSpec &spec) {
  // 136 and more tokens fill their registers; three stages leave room for a second block.
  const bool two = spec.rows >= 136 && spec.rows < 192;
  const int stages = two ? stagesFor(spec, {3, 5}) : stagesFor(spec, {5, 3});
  // Few tokens: many small blocks, so that some decode while others wait. More: tiles that are large both ways ask the
  // L2 cache for fewer bytes a product, which is what the widest wait for.
  const int warpgroups = spec.rows <= 24 ? 1 : spec.rows < 192 ? 2 : 3, rows = 64 * warpgroups;
  const int shared = device::experts_grouped_shared_bytes(rows, spec.rows, stages, columnsOf(spec));
  const int registers = spec.rows <= 24   ? 7
                        : spec.rows <= 48 ? 3
                        : spec.rows < 192 ? 2
                                          : 1; // blocks that their registers leave room for
  const int blocks = std::clamp(device::Sm90::kSharedLimit / shared, 1, registers);
  ExpertsSchedule schedule;
  schedule.type = fmt::format("ExpertsGroupedSm90<Shape, {}, {}, {}, {}>", spec.rows, warpgroups, stages, blocks);
  schedule.family = "Sm90";
  schedule.tileTokens = spec.rows, schedule.tileRows = rows;
  schedule.stages = stages, schedule.warps = 4 * warpgroups, schedule.threads = 128 * warpgroups;
  schedule.sharedBytes = shared;
  return schedule;
}

ExpertsSchedule portable(const ExpertsSpec &spec) {
  const bool turing = spec.arch == "sm_75";
  const int rowTiles = 2, warps = 4, stages = turing ? 2 : spec.rows == 64 ? 3 : 4, rows = 16 * rowTiles * warps;
  const char *family = turing ? "Sm75" : "Sm80";
  ExpertsSchedule schedule;
  schedule.type = fmt::format("ExpertsGrouped<{}, Shape, {}, {}, {}, {}>", family, spec.rows, rowTiles, warps, stages);
  schedule.family = family;
  schedule.tileTokens = spec.rows, schedule.tileRows = rows;
  schedule.stages = stages, schedule.warps = warps, schedule.threads = 32 * warps;
  schedule.sharedBytes = device::experts_grouped_shared_bytes(rows, spec.rows, stages, columnsOf(spec));
  return schedule;
}

bool wgmmaGradientFits(const ExpertsSpec &spec) {
  return spec.kind == ExpertsKind::Gradient && hopper(spec) && spec.hidden % 64 == 0;
}
ExpertsSchedule wgmmaGradient(const ExpertsSpec &spec) {
  constexpr int kOthers = 1024 + 2048; // alignment; barriers and pairs
  const int stage = device::experts_gradient_sm90_stage_bytes(spec.rows);
  const int stages = (device::Sm90::kSharedLimit - kOthers) / stage, warps = 12;
  ExpertsSchedule schedule;
  schedule.type = fmt::format("ExpertsGradientSm90<{}, {}>", spec.rows, stages);
  schedule.family = "Sm90";
  schedule.stays = true;
  schedule.tileTokens = spec.rows, schedule.tileRows = device::kGradientSm90Columns;
  schedule.stages = stages, schedule.warps = warps, schedule.threads = 32 * warps;
  schedule.sharedBytes = stages * stage + 1024;
  return schedule;
}
ExpertsSchedule gradient(const ExpertsSpec &spec) {
  const bool turing = spec.arch == "sm_75";
  // Hopper has the shared memory for two blocks of three stages.
  const char *family = turing ? "Sm75" : spec.arch == "sm_90a" ? "Sm90" : "Sm80";
  const int warps = 4, stages = turing ? 2 : 3;
  ExpertsSchedule schedule;
  schedule.type = fmt::format("ExpertsGradient<{}, {}, {}, {}>", family, spec.rows, warps, stages);
  schedule.family = family;
  schedule.tileTokens = spec.rows, schedule.tileRows = device::kGradientColumns * warps;
  schedule.stages = stages, schedule.warps = warps, schedule.threads = 32 * warps;
  schedule.sharedBytes = device::experts_gradient_shared_bytes(spec.rows, warps, stages);
  return schedule;
}

/// What an expert with `count` tokens costs, against others: one part for weights, one for tokens, both as an H100 gave
/// them. Tiles of class 12 wait for memory alone, and the second finds its weights in the L2 cache; blocks that stay
/// read them again.
double expertCost(const ExpertsSpec &spec, double count, int rowClass) {
  const int tile = device::experts_tile_tokens(rowClass);
  const double tiles = std::ceil(count / tile);
  if (rowClass == kExpertsFewClass)
    return 61 + 14 * (tiles - 1);
  if (rowClass == kStretchClass && stretchFits(spec))
    return 63 * tiles + 0.25 * count;
  int width = tile;
  while (device::experts_narrow_tokens(width) < width && count / tiles <= device::experts_narrow_tokens(width))
    width = device::experts_narrow_tokens(width);
  return tiles * (60 + 0.65 * width);
}
/// The same with the expert's tokens spread about `mean` by its root.
double meanCost(const ExpertsSpec &spec, double mean, int rowClass) {
  double sum = 0, weights = 0;
  for (double z = -2; z <= 2; z += 0.25) {
    const double weight = std::exp(-z * z / 2);
    sum += weight * expertCost(spec, std::max(1., mean + z * std::sqrt(mean)), rowClass);
    weights += weight;
  }
  return sum / weights;
}

} // namespace

std::vector<int> expertsRowClasses(const ExpertsSpec &spec) {
  if (wgmmaGradientFits(spec))
    return {device::kGradientSm90Tokens};
  if (spec.kind == ExpertsKind::Gradient)
    return {32, 64};
  if (inLine(spec))
    return {lineTokens(spec)};
  std::vector<int> classes;
  if (singleFits(spec))
    classes = {4, 8};
  if (fewFits(spec))
    classes.push_back(kExpertsFewClass);
  if (wgmmaFits(spec) || stretchFits(spec))
    classes.push_back(kStretchClass);
  for (int tile : wgmmaFits(spec) ? std::vector<int>{48, 96, 144, 192} : std::vector<int>{16, 32, 64})
    classes.push_back(tile);
  return classes;
}

Result<int> expertsRows(const ExpertsSpec &spec, int64_t tokens, int64_t experts) {
  if (Result<void> fits = checkSpec(spec); !fits)
    return fits.error();
  if (inLine(spec))
    return lineTokens(spec);
  const double mean =
      static_cast<double>(tokens) * spec.expertsPerToken / static_cast<double>(std::max<int64_t>(experts, 1));
  int best = 0;
  double least = 0;
  for (int rows : expertsRowClasses(spec)) {
    if (rows <= 8) {
      if (tokens <= rows)
        return rows;
      continue;
    }
    const double cost = meanCost(spec, mean, rows);
    if (!best || cost < least)
      best = rows, least = cost;
  }
  return best;
}

Result<ExpertsSchedule> expertsSchedule(const ExpertsSpec &spec) {
  if (Result<void> fits = checkSpec(spec); !fits)
    return fits.error();
  const std::vector<int> classes = expertsRowClasses(spec);
  if (std::find(classes.begin(), classes.end(), spec.rows) == classes.end())
    return Error{fmt::format("no kernel of class {} for experts of {} x {} on {}; there are {}", spec.rows, spec.hidden,
                             spec.intermediate, spec.arch, fmt::join(classes, ", "))};
  if (spec.kind == ExpertsKind::Gradient)
    return wgmmaGradientFits(spec) ? wgmmaGradient(spec) : gradient(spec);
  if (inLine(spec))
    return spec.format == WeightFormat::Nf4 ? nf4Launch(spec) : denseLaunch(spec);
  if (spec.rows <= 8)
    return singleLaunch(spec);
  if (spec.rows == kExpertsFewClass)
    return fewTokens(spec);
  if (spec.rows == kStretchClass && stretchFits(spec))
    return stretch(spec);
  return wgmmaFits(spec) ? wgmma(spec) : portable(spec);
}

} // namespace maskjit
