// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How a product is cut: warps, steps in flight, tiles, rows.
#pragma once
#include "compiler/Compiler.h"
#include <optional>

namespace maskjit {

struct LinearShape {
  int64_t in = 0;                // input features
  std::vector<int64_t> features; // of each matrix
  int64_t rows = 1;              // slots
  int head = 0;                  // head dimension whose halves a tile pairs; 0: none
  std::string arch;
  DType dtype = DType::BF16;
  bool norm = false, adapted = false; // a norm before, a low-rank adapter beside
};

/// A schedule as a generated file names it: LinearRows<Sm80, 2880, 15, 6, 1, 1, 64>, and the device function it is for.
struct LinearSchedule {
  std::string type, function = "linear_rows", bounds = "kThreads"; // of the type: threads to compile for
  int threads = 0, sharedBytes = 0, tileFeatures = 0, rows = 0;    // features and rows that a block has at a time
  int split = 0; // of LinearRowsSm90: blocks of a cluster; 0: LinearRows
};
/// Of linear_few where that serves the shape, else of linear_rows. Errors: sizes that no tile divides.
Result<LinearSchedule> linearSchedule(const LinearShape &shape);
/// That of linear_rows_sm90 where it serves the shape: dense bf16 and more than a few rows on Hopper.
std::optional<LinearSchedule> linearSm90Schedule(const LinearShape &shape);
/// The same over NF4 matrices; `nested`: their absmax is quantized itself.
Result<LinearSchedule> linearNf4FusedSchedule(const LinearShape &shape, bool nested);

} // namespace maskjit
