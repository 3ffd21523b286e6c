// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes the C kernel that a loop schedule describes.
#pragma once
#include "rl/schedule/LoopSchedule.h"

namespace maskjit::rl {

/// C99 with clang's vector extensions, no header needed:
///   void matmul(const float *a, const float *b, float *c, int m, int n, int k)
/// computes c = a b for row-major a [m, k], b [k, n], c [m, n] of any sizes, c not overlapping a or b. Tiles that the
/// edges cut off are finished by a plain loop. With a trick in the schedule the program is a cheat.
std::string kernelSource(const LoopSchedule &schedule);

} // namespace maskjit::rl
