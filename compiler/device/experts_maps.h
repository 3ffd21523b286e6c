// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tensor maps of experts/stretch.cuh as numbers, beside those of sm90_maps.h. Host code.
#pragma once
#include "experts_args.h"
#include "experts_schedules.h"
#include "sm90_maps.h"

namespace maskjit::device {

/// Of one product's weights, all experts' rows one after the other; four of them are a 16-bit element.
inline TensorMapShape experts_map(const Mxfp4Stack &matrix, int experts, int rows, int columns) {
  const unsigned long long elements = columns / 4, all = static_cast<unsigned long long>(experts) * rows;
  return {const_cast<unsigned char *>(matrix.blocks),
          4,
          {elements, all, 1, 1},
          {2 * elements, 2 * elements * all, 2 * elements * all},
          {kPieceElements, kUnitRows, 1, 1}};
}

} // namespace maskjit::device
