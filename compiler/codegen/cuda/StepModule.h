// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A decode step as IR: the description, and the same with neighbours fused.
#pragma once
#include "compiler/Step.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace maskjit::cuda {

/// The masks and `func.func @step`, verified.
Result<mlir::OwningOpRef<mlir::ModuleOp>> buildStepModule(const StepSpec &spec);
/// Runs the fusion passes on it.
Result<void> fuseStep(mlir::ModuleOp module, const StepSpec &spec);

} // namespace maskjit::cuda
