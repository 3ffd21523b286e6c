// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// mask.func to instructions of the interpreter.
#pragma once
#include "compiler/interpreter/FunctionCode.h"
#include "dialects/mask/MaskDialect.h"

namespace maskjit::interpreter {

/// The error names the operation that the interpreter does not know.
Result<FunctionCode> compileFunction(mask::FuncOp func);

} // namespace maskjit::interpreter
