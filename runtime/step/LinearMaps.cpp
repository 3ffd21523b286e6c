// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Describes rows and matrices to Hopper's copy engine, in the order in which linear_rows_sm90 multiplies features.
#include "runtime/step/LinearMaps.h"
#include "compiler/device/linear_rows_schedules.h"
#include <algorithm>

namespace maskjit {
namespace {

using Size = unsigned long long;
constexpr unsigned kBox = device::kLinearStep;

/// [count, in], `box` rows at a time.
device::TensorMapShape rowsMap(const void *data, int64_t in, int64_t count, unsigned box) {
  const Size pitch = 2 * static_cast<Size>(in), all = pitch * static_cast<Size>(count);
  return {const_cast<void *>(data),
          4,
          {static_cast<Size>(in), static_cast<Size>(count), 1, 1},
          {pitch, all, all},
          {kBox, box, 1, 1}};
}

/// [features, in]: 8 features, then those half a head on, then the next block of 16 of the head, then the next head.
device::TensorMapShape matrixMap(const void *data, int64_t in, int64_t features, int64_t head) {
  const Size pitch = 2 * static_cast<Size>(in), dim = static_cast<Size>(head ? head : 16), blocks = dim / 16;
  const unsigned together = static_cast<unsigned>(std::min<Size>(blocks, device::kLinearTile / 16));
  return {const_cast<void *>(data),
          5,
          {static_cast<Size>(in), 8, 2, blocks, static_cast<Size>(features) / dim},
          {pitch, pitch * dim / 2, pitch * 8, pitch * dim},
          {kBox, 8, 2, together, device::kLinearTile / 16 / together}};
}

} // namespace

Result<LinearMaps> linearMaps(const StepLaunch &launch, const device::LinearArgs &args, DType dtype) {
  LinearMaps maps = {};
  const int64_t in = launch.sizes.at("in").front(), head = launch.sizes.at("head").front();
  const int64_t rows = launch.sizes.at("rows").front();
  const auto box = static_cast<unsigned>(rows);
  auto set = [&](int index, const device::TensorMapShape &shape) -> Result<void> {
    Result<cuda::TensorMap> map = cuda::encodeTensorMap(shape, dtype);
    if (!map)
      return map.error();
    maps[index] = *map;
    return {};
  };
  if (Result<void> done = set(0, rowsMap(args.input, in, args.rows, box)); !done)
    return done.error();
  for (int m = 0; m < device::kMostMatrices; ++m) {
    const int64_t features = int64_t(args.first_tile[m + 1] - args.first_tile[m]) * device::kLinearTile;
    if (features == 0)
      continue;
    if (Result<void> done = set(1 + m, matrixMap(args.weight[m], in, features, head)); !done)
      return done.error();
    if (!args.adapter.b[m])
      continue;
    const int64_t rank = args.adapter.rank;
    if (Result<void> done = set(1 + device::kMostMatrices + m, rowsMap(args.adapter.a[m], rank, args.rows, box)); !done)
      return done.error();
    if (Result<void> done = set(1 + 2 * device::kMostMatrices + m, matrixMap(args.adapter.b[m], rank, features, head));
        !done)
      return done.error();
  }
  return maps;
}

} // namespace maskjit
