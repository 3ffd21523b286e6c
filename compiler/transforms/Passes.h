// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The passes over masks and the pipeline that derives everything from a predicate.
#pragma once
#include "compiler/transforms/PipelineOptions.h"
#include "dialects/attn/AttnDialect.h"
#include "dialects/mask/MaskDialect.h"
#include "mlir/Pass/Pass.h"

namespace maskjit {

#define GEN_PASS_DECL
#include "compiler/transforms/Passes.h.inc"

/// Canonical form of all functions, then what is derived from the predicates of a module.
void buildMaskPipeline(mlir::OpPassManager &pm, const MaskPipelineOptions &options = {});

/// Fuses the operations of a decode step of `rows` slots.
void buildStepPipeline(mlir::OpPassManager &pm, int rows);
void registerStepPipeline(); // as -attn-step-pipeline

/// Registers every pass under its own flag and the pipelines as `-mask-pipeline` and `-attn-step-pipeline`; once a process.
void registerMaskPasses();

} // namespace maskjit
