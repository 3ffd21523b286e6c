// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pipeline from a predicate to its derived functions, and registration of the passes.
#include "compiler/transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

namespace maskjit {
#define GEN_PASS_REGISTRATION
#include "compiler/transforms/Passes.h.inc"
} // namespace maskjit

using namespace mlir;

void maskjit::buildMaskPipeline(OpPassManager &pm, const MaskPipelineOptions &options) {
  auto canonicalize = [&] {
    pm.addPass(createCanonicalizerPass());
    pm.addPass(createCSEPass());
  };
  canonicalize();
  pm.addPass(createMaskSimplify());
  canonicalize();
  if (options.keys)
    pm.addPass(createMaskDeriveKeys());
  if (options.queries)
    pm.addPass(createMaskDeriveQueries());
  if (options.tileClass)
    pm.addPass(createMaskDeriveTileClass());
  pm.addPass(createMaskDeriveScoreGradient()); // the backward pass cannot do without it
  canonicalize();
}

namespace {
struct PipelineFlags : PassPipelineOptions<PipelineFlags> {
  Option<bool> keys{*this, "keys", llvm::cl::desc("derive ranges of keys"), llvm::cl::init(true)};
  Option<bool> queries{*this, "queries", llvm::cl::desc("derive ranges of queries"), llvm::cl::init(true)};
  Option<bool> tileClass{*this, "tile-class", llvm::cl::desc("derive classes of tiles"), llvm::cl::init(true)};
};
} // namespace

void maskjit::registerMaskPasses() {
  registerMaskTransformsPasses();
  registerStepPipeline();
  PassPipelineRegistration<PipelineFlags>("mask-pipeline", "derive everything from the predicates of a module",
                                          [](OpPassManager &pm, const PipelineFlags &flags) {
                                            buildMaskPipeline(pm, {flags.keys, flags.queries, flags.tileClass});
                                          });
}
