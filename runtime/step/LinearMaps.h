// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tensor maps of a step's linear_rows_sm90.
#pragma once
#include "runtime/launch/TensorMap.h"
#include "runtime/step/FillArgs.h"
#include <array>

namespace maskjit {

/// As compiler/device/linear/rows_sm90.cuh has them: the input, weights, and an adapter's parts.
constexpr int kLinearMaps = 1 + 3 * device::kMostMatrices;
using LinearMaps = std::array<cuda::TensorMap, kLinearMaps>;

/// `args` is what fillArgs has made of the launch. Errors: memory that no map describes.
Result<LinearMaps> linearMaps(const StepLaunch &launch, const device::LinearArgs &args, DType dtype);

} // namespace maskjit
