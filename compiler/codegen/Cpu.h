// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The CPU target: a mask's derived functions, linked with the bitcode of compiler/device/cpu, optimised and compiled.
#pragma once
#include "compiler/Compiler.h"
#include <string>

namespace maskjit {

/// The machine that is compiled for. Empty: the one at hand.
struct CpuMachine {
  std::string name;     // as clang's -march: "x86-64-v3"
  std::string features; // "+avx2,-avx512f"
};

/// `ir`: the textual module of a mask with whatever has been derived from it. What is absent costs time, not
/// correctness.
Result<std::shared_ptr<const CpuKernel>> compileIrForCpu(const std::string &ir, const KernelSpec &spec,
                                                         const CpuMachine &machine = {});

} // namespace maskjit
