// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tensor maps of linear_rows_sm90 as numbers: what cuTensorMapEncodeTiled is to be called with. Host code.
#pragma once
#include "linear_rows_schedules.h"
#include "sm90_maps.h"

namespace maskjit::device {

/// Rows [count, in] of 16 bits, `box` of them at a time.
inline TensorMapShape linear_rows_map(const void *data, long long in, long long count, int box) {
  const auto features = static_cast<unsigned long long>(in), rows = static_cast<unsigned long long>(count);
  return {const_cast<void *>(data),
          4,
          {features, rows, 1, 1},
          {2 * features, 2 * features * rows, 2 * features * rows},
          {kLinearStep, static_cast<unsigned>(box), 1, 1}};
}

/// A matrix [features, in]: 8 features, then those half a head on, then the next block of 16 of the head, then the next
/// head, as LinearTile::feature has them. head 0: blocks of 16 as they come.
inline TensorMapShape linear_matrix_map(const void *data, long long in, long long features, int head) {
  const unsigned long long pitch = 2ull * static_cast<unsigned long long>(in), dim = head ? head : 16,
                           blocks = dim / 16;
  constexpr unsigned kBlocks = kLinearTile / 16; // of a tile
  const unsigned together = blocks < kBlocks ? static_cast<unsigned>(blocks) : kBlocks;
  return {const_cast<void *>(data),
          5,
          {static_cast<unsigned long long>(in), 8, 2, blocks, static_cast<unsigned long long>(features) / dim},
          {pitch, pitch * dim / 2, pitch * 8, pitch * dim},
          {kLinearStep, 8, 2, together, kBlocks / together}};
}

} // namespace maskjit::device
