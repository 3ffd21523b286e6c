// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Masks whose derived functions are other than the pipeline's: what tests of derivations are made of. No MLIR here.
#pragma once
#include "compiler/Compiler.h"
#include "compiler/transforms/PipelineOptions.h"

namespace maskjit {

/// The same mask with what these options derive.
Result<Mask> withDerivations(const Mask &mask, const MaskPipelineOptions &options);

/// A mask from textual IR: `predicate` as Mask::ir(false) prints it, `derived` as Mask::ir(true) does, taken as it is.
Result<Mask> maskFromText(const std::string &predicate, const std::string &derived);

} // namespace maskjit
