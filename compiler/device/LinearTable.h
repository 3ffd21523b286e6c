// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How linear_rows cuts a product: warps, steps in flight, tiles, rows.
#pragma once
#include "compiler/Compiler.h"

namespace maskjit {

struct LinearShape {
  int64_t in = 0;                // input features
  std::vector<int64_t> features; // of each matrix
  int64_t rows = 1;              // slots
  int head = 0;                  // head dimension whose halves a tile pairs; 0: none
  std::string arch;
};

/// A schedule as a generated file names it: LinearRows<Sm80, 2880, 15, 6, 1, 1, 64>.
struct LinearSchedule {
  std::string type;
  int threads = 0, sharedBytes = 0, tileFeatures = 0, rows = 0; // features and rows that a block has at a time
};
/// Errors: sizes that no tile divides.
Result<LinearSchedule> linearSchedule(const LinearShape &shape);
/// The same over NF4 matrices; `nested`: their absmax is quantized itself.
Result<LinearSchedule> linearNf4FusedSchedule(const LinearShape &shape, bool nested);

} // namespace maskjit
