// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How wide the integers of a function are: decided by proof, for the language has no width.
#pragma once
#include "dialects/mask/MaskDialect.h"

namespace maskjit {

/// 32 or 64: the width that holds every integer of `func`, intermediate ones too, for all declared parameters and all
/// coordinates. Where 64 do not suffice: an error at the operation, which names the expression.
mlir::FailureOr<unsigned> requiredWidth(mask::FuncOp func);

/// The same without an error: nothing where 64 bits do not suffice.
std::optional<unsigned> fittingWidth(mask::FuncOp func);

/// An integer expression as the language writes it, `q + q_offset - k`; long ones are cut short.
std::string describeExpression(mlir::Value value);

} // namespace maskjit
