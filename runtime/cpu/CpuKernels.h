// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The compiled CPU kernels of this process, by structure.
#pragma once
#include "compiler/Compiler.h"

namespace maskjit {

/// The kernels of spec.phase, dtype and headDim: compiled by the first call, found by those after it. Callers that ask
/// for the same one meanwhile wait for it; an error is not remembered.
Result<std::shared_ptr<const CpuKernel>> cpuKernel(const Mask &mask, const KernelSpec &spec);

} // namespace maskjit
