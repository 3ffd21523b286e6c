// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The structure of a mask in 128 bits.
#pragma once
#include "mlir/IR/BuiltinOps.h"
#include <string>

namespace maskjit::frontend {

/// 32 hex digits over the functions of `module`: operations, their constants, and the parameters' declarations by
/// position. Names, locations, defaults, the order of operations and of commutative operands do not matter.
std::string structuralDigest(mlir::ModuleOp module);

} // namespace maskjit::frontend
