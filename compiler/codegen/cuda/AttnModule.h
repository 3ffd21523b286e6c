// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel's job as IR: the derived mask and one attention over it, with its schedule chosen.
#pragma once
#include "compiler/Compiler.h"
#include "compiler/transforms/AttnSchedule.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace maskjit::cuda {

/// `@m`, its siblings and `func.func @kernel` with one scheduled attn operation of the phase of `spec`.
Result<mlir::OwningOpRef<mlir::ModuleOp>> buildAttnModule(const Mask &mask, const KernelSpec &spec);

/// The schedules of that operation, in the order of the kernels that have one.
std::vector<attn::ScheduleAttr> schedulesOf(mlir::ModuleOp module);

} // namespace maskjit::cuda
