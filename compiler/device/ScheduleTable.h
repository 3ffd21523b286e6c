// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which schedule a kernel takes on an architecture, and what its launch needs.
#pragma once
#include "compiler/Compiler.h"

namespace maskjit {

/// A schedule as a generated file names it.
struct Schedule {
  std::string type;   // "Forward<Sm80, 64, 128, 64, 2, 4>"
  std::string family; // "Sm80"
  int stages = 0, warps = 0;
  int threads = 0, sharedBytes = 0;
  int tileQueries = 0, tileKeys = 0; // rows of a query tile: (position, head) pairs; keys of a key tile
};

/// The schedules of the portable kernels for a supported dtype, head dim and architecture. Errors: bf16 on sm_75 (with
/// the way out), fp32, a head dim or an architecture that is not in the table (with those that are).
Result<Schedule> forwardSchedule(const KernelSpec &spec);
Result<Schedule> decodeSchedule(const KernelSpec &spec);
/// Of the keys that sequences share; beside decodeSchedule's in one launch.
Result<Schedule> decodeSharedSchedule(const KernelSpec &spec);
Result<Schedule> backwardDqSchedule(const KernelSpec &spec);
Result<Schedule> backwardDkDvSchedule(const KernelSpec &spec);
/// Hopper's own forward kernel, beside which forwardSchedule's stays needed: sm90_serves() in sm90_maps.h says for
/// which calls. The error says what it does not serve; a mask that scores is a matter of the caller.
Result<Schedule> forwardSm90Schedule(const KernelSpec &spec);

} // namespace maskjit
