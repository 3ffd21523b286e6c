// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// maskjit-opt as a function of the library, which holds the only copy of MLIR.
#pragma once

namespace maskjit {
/// Reads textual IR, runs the passes that the flags name, writes textual IR; as mlir-opt does. Returns the exit code.
int maskjitOptMain(int argc, char **argv);
} // namespace maskjit
