// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which schedule the NF4 linear kernels take on an architecture for a class of row counts.
#pragma once
#include "compiler/Compiler.h"

namespace maskjit {

/// A schedule as a generated file names it.
struct LinearNf4Schedule {
  std::string type;  // "LinearNf4<Sm80, 2880, 15, 3, 1, true>"
  bool wide = false; // Hopper's kernel for many rows
  int threads = 0, sharedBytes = 0, tileFeatures = 0, tileRows = 0;
};

/// The schedule of `spec.rows`. Errors: as linearNf4Rows, and an unknown class (with those that there are).
Result<LinearNf4Schedule> linearNf4Schedule(const LinearNf4Spec &spec);

} // namespace maskjit
