// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a kernel is compiled for, on the command line.
#pragma once
#include "compiler/Compiler.h"
#include <CLI/CLI.hpp>

namespace maskjit {

/// "bf16", "f16", "f32".
const char *dtypeName(DType dtype);
std::optional<Phase> phaseNamed(const std::string &name);
/// The names of all phases.
std::vector<std::string> phaseNames();

/// --head-dim, --group and --dtype; the caller adds the options for architectures and phases that it needs.
struct StructureOptions {
  int headDim = 64, group = 8;
  std::string dtype; // empty: bf16, or f16 on sm_75, which has no bf16

  void addTo(CLI::App &command);
  KernelSpec spec(Phase phase, const std::string &arch) const;
};

} // namespace maskjit
