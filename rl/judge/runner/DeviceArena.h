// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A, B and C on the GPU, each between guards that show whether a kernel writes outside.
#pragma once
#include "runtime/launch/DeviceMemory.h"

namespace maskjit::rl {

class DeviceArena {
public:
  /// `bytes`: of A, B and C.
  Result<void> allocate(const size_t (&bytes)[3]);
  cuda::DevicePtr address(int matrix) const { return base + offsets[matrix]; }
  /// Copies A, B and C from `host` (C: what the result holds before the call) and writes the guards anew.
  Result<void> upload(char *const (&host)[3]);
  /// Copies all three back. Errors: a kernel failed, or wrote into a guard.
  Result<void> download(char *const (&host)[3]);

private:
  cuda::DeviceMemory memory;
  cuda::DevicePtr base = 0;
  size_t offsets[3] = {}, sizes[3] = {}, total = 0;
};

} // namespace maskjit::rl
