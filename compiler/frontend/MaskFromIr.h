// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Masks from textual IR, for tools and tests of derivations. Includes no MLIR header.
#pragma once
#include "compiler/Compiler.h"

namespace maskjit {

/// The mask whose predicate (and score) the module `ir` holds. `derived`, a module that holds them too, stands for what
/// the pipeline would derive; without it the pipeline runs.
Result<Mask> maskFromIr(std::string_view ir, std::string_view derived = {});

} // namespace maskjit
