// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The functions of a mask as func, arith and llvm operations on machine integers: the first step of the CPU target.
#pragma once
#include "mlir/Pass/Pass.h"

namespace maskjit {

/// Turns every mask.func of a module into the func.func that compiler/device/cpu/MaskFunctions.h declares for it:
/// @m becomes @mask_attends, @m.keys @mask_keys and so on, coordinates i32, ranges a pair of i64. Each function
/// computes in the width that analysis/IntegerWidth.h proves. Also defines @mask_uses_head, @mask_has_row,
/// @mask_has_score.
std::unique_ptr<mlir::Pass> createConvertMaskToFuncPass();

/// Registers the passes of this folder with maskjit-opt.
void registerCodegenPasses();

} // namespace maskjit
