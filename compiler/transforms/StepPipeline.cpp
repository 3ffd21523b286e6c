// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The passes that turn the description of a decode step into few kernels.
#include "compiler/transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace maskjit;

void maskjit::buildStepPipeline(OpPassManager &pm, int rows) {
  pm.addPass(createCSEPass()); // one norm for the three projections that read it
  pm.addPass(createAttnFuseProjections());
  pm.addPass(createAttnFuseNorm({rows}));
  pm.addPass(createAttnFuseRope());
  pm.addPass(createAttnFuseAppend());
  pm.addPass(createAttnFuseResidual());
}

namespace {
struct StepFlags : PassPipelineOptions<StepFlags> {
  Option<int> rows{*this, "rows", llvm::cl::desc("slots of the step"), llvm::cl::init(8)};
};
} // namespace

void maskjit::registerStepPipeline() {
  PassPipelineRegistration<StepFlags>(
      "attn-step-pipeline", "fuse the operations of a decode step",
      [](OpPassManager &pm, const StepFlags &flags) { buildStepPipeline(pm, flags.rows); });
}
