// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Describes rows and matrices to Hopper's copy engine, in the order in which linear_rows_sm90 multiplies features.
#include "runtime/step/LinearMaps.h"
#include "compiler/device/linear_rows_maps.h"

namespace maskjit {
Result<LinearMaps> linearMaps(const StepLaunch &launch, const device::LinearArgs &args, DType dtype) {
  LinearMaps maps = {};
  const int64_t in = launch.sizes.at("in").front();
  const int head = static_cast<int>(launch.sizes.at("head").front());
  const int box = static_cast<int>(launch.sizes.at("rows").front());
  auto set = [&](int index, const device::TensorMapShape &shape) -> Result<void> {
    Result<cuda::TensorMap> map = cuda::encodeTensorMap(shape, dtype);
    if (!map)
      return map.error();
    maps[index] = *map;
    return {};
  };
  if (Result<void> done = set(0, device::linear_rows_map(args.input, in, args.rows, box)); !done)
    return done.error();
  for (int m = 0; m < device::kMostMatrices; ++m) {
    const int64_t features = int64_t(args.first_tile[m + 1] - args.first_tile[m]) * device::kLinearTile;
    if (features == 0)
      continue;
    if (Result<void> done = set(1 + m, device::linear_matrix_map(args.weight[m], in, features, head)); !done)
      return done.error();
    if (!args.adapter.b[m])
      continue;
    const int64_t rank = args.adapter.rank;
    if (Result<void> done =
            set(1 + device::kMostMatrices + m, device::linear_rows_map(args.adapter.a[m], rank, args.rows, box));
        !done)
      return done.error();
    if (Result<void> done =
            set(1 + 2 * device::kMostMatrices + m, device::linear_matrix_map(args.adapter.b[m], rank, features, head));
        !done)
      return done.error();
  }
  return maps;
}

} // namespace maskjit
