// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which schedule the NF4 linear kernels take on an architecture for a class of row counts.
#pragma once
#include "compiler/LinearNf4.h"

namespace maskjit {

/// A schedule as a generated file names it.
struct LinearNf4Schedule {
  std::string kernel; // "linear_nf4_rows", also the name of its header
  std::string type;   // "LinearNf4<Sm80, 2880, 15, 3, 1, true>"
  bool maps = false;  // takes tensor maps before its arguments
  bool alone = false; // one block a multiprocessor: the compiler may spend all registers
  int threads = 0, sharedBytes = 0;
  int tileFeatures = 0, tileRows = 0; // of a cluster
  int cluster = 1;                    // blocks
};

/// The schedule of `spec.rows`. Errors: as linearNf4Rows, and an unknown class (with those that there are).
Result<LinearNf4Schedule> linearNf4Schedule(const LinearNf4Spec &spec);

} // namespace maskjit
