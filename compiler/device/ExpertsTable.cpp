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

bool hopper(const ExpertsSpec &spec) { return spec.arch == "sm_90a" && spec.dtype == DType::BF16; }

/// Stages that the columns of both products are a multiple of; 0 if neither 5 nor 3 fits.
int stagesFor(const ExpertsSpec &spec, std::initializer_list<int> wanted) {
  for (int stages : wanted) {
    const int columns = stages * device::kStepK;
    if (spec.hidden % columns == 0 && spec.intermediate % columns == 0)
      return stages;
  }
  return 0;
}
bool wgmmaFits(const ExpertsSpec &spec) { return hopper(spec) && stagesFor(spec, {5, 3}) != 0; }
bool singleFits(const ExpertsSpec &spec) {
  return hopper(spec) && spec.intermediate % 64 == 0 && spec.expertsPerToken <= 4 &&
         device::experts_rows_slots(spec.hidden, spec.intermediate, 2) >= 2;
}

Result<void> checkSpec(const ExpertsSpec &spec) {
  const std::vector<std::string> &archs = architectures();
  if (std::find(archs.begin(), archs.end(), spec.arch) == archs.end())
    return Error{fmt::format("no kernels for architecture '{}'; there are for {}", spec.arch, fmt::join(archs, ", "))};
  if (spec.dtype == DType::F32)
    return Error{"4-bit experts on CUDA take fp16 and bf16 activations, got fp32; convert them, or use the CPU"};
  if (spec.arch == "sm_75" && spec.dtype == DType::BF16)
    return Error{"sm_75 has no bf16; convert the activations to fp16"};
  for (int size : {spec.hidden, spec.intermediate})
    if (size < 32 || size % 32)
      return Error{fmt::format("MXFP4 experts have sizes that are multiples of 32, got hidden {} and intermediate {}",
                               spec.hidden, spec.intermediate)};
  if (spec.expertsPerToken < 1 || spec.expertsPerToken > 8)
    return Error{fmt::format("1 to 8 experts a token, got {}", spec.expertsPerToken)};
  return {};
}

/// Hopper, few tokens: two groups of warps hold the activations of 4 tokens, one those of 8.
ExpertsSchedule singleLaunch(const ExpertsSpec &spec) {
  const int groups = spec.rows == 4 ? 2 : 1, warps = groups * device::kRowsWarps;
  const int slots = device::experts_rows_slots(spec.hidden, spec.intermediate, groups);
  return {fmt::format("ExpertsRows<Shape, {}>", groups),
          "Sm90",
          true,
          device::experts_rows_tokens(groups),
          device::kRowsTile,
          slots,
          warps,
          32 * (warps + 1),
          slots * device::experts_rows_slot_bytes(spec.hidden, spec.intermediate)};
}

ExpertsSchedule wgmma(const ExpertsSpec &spec) {
  const bool wide = spec.rows == 144; // fills its registers; three stages leave room for a second block
  const int stages = wide ? stagesFor(spec, {3, 5}) : stagesFor(spec, {5, 3});
  const int warpgroups = 2, rows = 64 * warpgroups;
  const int shared =
      device::experts_grouped_shared_bytes(rows, spec.rows, stages, std::max(spec.hidden, spec.intermediate));
  const int registers = spec.rows <= 16 ? 4 : spec.rows <= 48 ? 3 : 2; // blocks that their registers leave room for
  const int blocks = std::clamp(device::Sm90::kSharedLimit / shared, 1, registers);
  return {fmt::format("ExpertsGroupedSm90<Shape, {}, {}, {}, {}>", spec.rows, warpgroups, stages, blocks),
          "Sm90",
          false,
          spec.rows,
          rows,
          stages,
          4 * warpgroups,
          128 * warpgroups,
          shared};
}

ExpertsSchedule portable(const ExpertsSpec &spec) {
  const bool turing = spec.arch == "sm_75";
  const int rowTiles = 2, warps = 4, stages = turing ? 2 : spec.rows == 64 ? 3 : 4, rows = 16 * rowTiles * warps;
  const char *family = turing ? "Sm75" : "Sm80";
  return {fmt::format("ExpertsGrouped<{}, Shape, {}, {}, {}, {}>", family, spec.rows, rowTiles, warps, stages),
          family,
          false,
          spec.rows,
          rows,
          stages,
          warps,
          32 * warps,
          device::experts_grouped_shared_bytes(rows, spec.rows, stages, std::max(spec.hidden, spec.intermediate))};
}

} // namespace

std::vector<int> expertsRowClasses(const ExpertsSpec &spec) {
  std::vector<int> classes;
  if (singleFits(spec))
    classes = {4, 8};
  for (int tile : wgmmaFits(spec) ? std::vector<int>{16, 48, 96, 144} : std::vector<int>{16, 32, 64})
    classes.push_back(tile);
  return classes;
}

Result<int> expertsRows(const ExpertsSpec &spec, int64_t tokens, int64_t experts) {
  if (Result<void> fits = checkSpec(spec); !fits)
    return fits.error();
  // The tokens of an expert spread about their mean by its root: a tile should hold most experts' tokens.
  const double mean =
      static_cast<double>(tokens) * spec.expertsPerToken / static_cast<double>(std::max<int64_t>(experts, 1));
  const std::vector<int> classes = expertsRowClasses(spec);
  for (int rows : classes)
    if (rows <= 8 ? tokens <= rows : mean + std::sqrt(mean) <= rows)
      return rows;
  return classes.back();
}

Result<ExpertsSchedule> expertsSchedule(const ExpertsSpec &spec) {
  if (Result<void> fits = checkSpec(spec); !fits)
    return fits.error();
  const std::vector<int> classes = expertsRowClasses(spec);
  if (std::find(classes.begin(), classes.end(), spec.rows) == classes.end())
    return Error{fmt::format("no kernel of class {} for experts of {} x {} on {}; there are {}", spec.rows, spec.hidden,
                             spec.intermediate, spec.arch, fmt::join(classes, ", "))};
  return spec.rows <= 8 ? singleLaunch(spec) : wgmmaFits(spec) ? wgmma(spec) : portable(spec);
}

} // namespace maskjit
