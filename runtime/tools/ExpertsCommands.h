// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of 4-bit experts on the command line.
#pragma once
#include "runtime/cache/KernelCache.h"
#include "runtime/tools/Commands.h"

namespace maskjit {

/// All kernels of a model with experts of `sizes`, "HIDDENxINTERMEDIATExTOP", on `archs`: of a layer, and of training.
Result<std::vector<KernelRequest>> expertsRequests(const std::string &sizes, const std::vector<std::string> &archs);
/// One line a kernel: registers, spills, shared memory, threads.
std::string resourceTable(const KernelImage &kernel);

} // namespace maskjit
