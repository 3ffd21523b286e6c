// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// C++ classes of the `mask` dialect (generated from Mask.td).
#pragma once
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/mask/MaskDialect.h.inc"
#include "dialects/mask/MaskEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/mask/MaskAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialects/mask/MaskOps.h.inc"

namespace maskjit::mask {
/// Coordinates of keys and queries lie in [0, kMaxPosition); of batch and heads in [0, kMaxBatch).
inline constexpr int64_t kMaxPosition = int64_t(1) << 28, kMaxBatch = 65536;
} // namespace maskjit::mask
