// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From a mask's textual IR to LLVM IR of its functions.
#pragma once
#include "compiler/Result.h"
#include "llvm/IR/Module.h"
#include <memory>

namespace maskjit {

/// mask -> func, arith -> LLVM dialect -> LLVM IR in `context`. Uses an MLIR context of its own, so that any number of
/// threads may compile.
Result<std::unique_ptr<llvm::Module>> lowerMaskToLlvm(const std::string &ir, llvm::LLVMContext &context);

} // namespace maskjit
