// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which schedule the kernels for experts take on an architecture for a class of token counts.
#pragma once
#include "compiler/Compiler.h"

namespace maskjit {

/// A schedule as a generated file names it.
struct ExpertsSchedule {
  std::string type;    // "ExpertsGroupedSm90<Shape, 144, 2, 3, 2>"
  std::string family;  // "Sm90", "Sm80", "Sm75"
  bool single = false; // both products in one launch
  bool maps = false;   // blocks that stay, one a multiprocessor; tensor maps of the weights before the arguments
  bool stays = false;  // of a gradient: any grid serves, one block a multiprocessor serves best
  int tileTokens = 0, tileRows = 0, stages = 0, warps = 0;
  int threads = 0, sharedBytes = 0;
};

/// The schedule of `spec.rows`. Errors: sizes that no kernel takes, bf16 on sm_75, an unknown class (with those that
/// there are).
Result<ExpertsSchedule> expertsSchedule(const ExpertsSpec &spec);

/// Source and entries of the kernels of `schedule`; `generator` is named in the first line.
void printExperts(CudaKernel &kernel, const ExpertsSpec &spec, const ExpertsSchedule &schedule,
                  const std::string &generator);

} // namespace maskjit
