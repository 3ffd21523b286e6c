// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels compiled from IR text, for a machine of choice, and run on a case.
#pragma once
#include "compiler/codegen/Cpu.h"
#include "tests/runtime/attention/AttentionCase.h"

namespace maskjit::test {

/// out, lse, dq, dk, dv of a case without sinks.
std::vector<std::vector<float>> runKernels(AttentionCase &c, const std::string &ir, const CpuMachine &machine = {});

} // namespace maskjit::test
