// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/device/LinearNf4Table.h"
#include "compiler/device/linear_nf4_schedules.h"
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace maskjit {
namespace {

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
  return {};
}

/// The most warps up to `most` among which the blocks of input features divide, or `most` with some idle at the end.
int warpsFor(int blocks, int most) {
  for (int warps = most; warps >= most / 2 && warps > 1; --warps)
    if (blocks % warps == 0)
      return warps;
  return std::min(blocks, most);
}

bool hasWide(const LinearNf4Spec &spec) { return spec.arch == "sm_90a" && spec.dtype == DType::BF16; }

LinearNf4Schedule few(const LinearNf4Spec &spec) {
  // More rows need more registers a warp and read the input more often: fewer warps, each with longer stretches.
  const int groups = spec.rows / 8, blocks = spec.in / device::kNf4Block;
  const int warps = warpsFor(blocks, groups == 1 ? 16 : groups == 2 ? 9 : 5);
  const int steps = (blocks + warps - 1) / warps;
  return {fmt::format("LinearNf4<{}, {}, {}, {}, {}, {}>", spec.arch == "sm_75" ? "Sm75" : "Sm80", spec.in, warps,
                      std::min(steps, groups == 1 ? 4 : 3), groups, spec.nested),
          false,
          32 * warps,
          device::linear_nf4_shared_bytes(warps, groups),
          16,
          spec.rows};
}

LinearNf4Schedule wide(const LinearNf4Spec &spec) {
  constexpr int kWarpgroups = 2, kFeatures = 64 * kWarpgroups, kMost = 227 * 1024 - 1024;
  int stages = 8;
  while (device::linear_nf4_wide_shared_bytes(kFeatures, spec.rows, stages) > kMost)
    --stages;
  return {fmt::format("LinearNf4Wide<{}, {}, {}, {}, {}>", spec.in, spec.rows, kWarpgroups, stages, spec.nested),
          true,
          128 * kWarpgroups + 32,
          device::linear_nf4_wide_shared_bytes(kFeatures, spec.rows, stages),
          kFeatures,
          spec.rows};
}

} // namespace

std::vector<int> linearNf4RowClasses(const LinearNf4Spec &spec) {
  return hasWide(spec) ? std::vector<int>{8, 16, 32, 96, 176} : std::vector<int>{8, 16, 32};
}

Result<int> linearNf4Rows(const LinearNf4Spec &spec, int64_t rows) {
  if (Result<void> fits = checkSpec(spec); !fits)
    return fits.error();
  const std::vector<int> classes = linearNf4RowClasses(spec);
  for (int each : classes)
    if (rows <= each)
      return each;
  return classes.back();
}

Result<LinearNf4Schedule> linearNf4Schedule(const LinearNf4Spec &spec) {
  if (Result<void> fits = checkSpec(spec); !fits)
    return fits.error();
  const std::vector<int> classes = linearNf4RowClasses(spec);
  if (std::find(classes.begin(), classes.end(), spec.rows) == classes.end())
    return Error{fmt::format("no NF4 linear kernel of class {} on {}; there are {}", spec.rows, spec.arch,
                             fmt::join(classes, ", "))};
  return spec.rows > 32 ? wide(spec) : few(spec);
}

} // namespace maskjit
