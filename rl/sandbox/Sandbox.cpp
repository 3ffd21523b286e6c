// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The probe and the minimum.
#include "rl/sandbox/Sandbox.h"
#include "rl/sandbox/Programs.h"
#include "rl/sandbox/Report.h"
#include <fmt/format.h>

namespace maskjit::rl {

Result<SandboxReport> probeSandbox() {
  const Result<std::string> program = sandboxProgram();
  if (!program)
    return program.error();
  const Result<std::string> text = outputOf({*program, "--probe"});
  if (!text)
    return text.error();
  return reportFromJson(*text);
}

Result<void> requireSandbox(const SandboxReport &report, bool allowWeak) {
  if (report.meetsMinimum || allowWeak)
    return {};
  return Error{fmt::format("code written by a model runs only in a sandbox, and this machine offers too little:\n{}"
                           "Use a machine or container that allows them (Linux 5.13 or newer with Landlock, or user "
                           "namespaces), or take the risk with --allow-weak-sandbox",
                           report.explain())};
}

} // namespace maskjit::rl
