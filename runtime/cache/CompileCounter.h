// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How many kernels this process has compiled, for any target. Tests hold it still while lengths change.
#pragma once
#include <cstdint>

namespace maskjit {

/// Called once by each compilation, successful or not.
void countCompilation();
int64_t compilations();

} // namespace maskjit
