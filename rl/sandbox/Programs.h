// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where the sandbox's own files lie, and the output of a trusted program.
#pragma once
#include "compiler/Result.h"
#include <string>
#include <vector>

namespace maskjit::rl {

/// maskjit-sandbox beside the running program, or in bin/ beside its folder.
Result<std::string> sandboxProgram();
/// libmaskjit_lockdown.so in lib/ beside the folder of maskjit-sandbox.
Result<std::string> lockdownLibrary();

/// Standard output of a program that ends with code 0, run outside any sandbox; `environment`: NAME=value, nothing
/// else.
Result<std::string> outputOf(const std::vector<std::string> &argv, const std::vector<std::string> &environment = {});

} // namespace maskjit::rl
