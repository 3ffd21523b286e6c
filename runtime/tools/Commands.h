// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The commands of the program maskjit, a file each.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>

namespace maskjit {

/// What the command line chose; gives the program's exit code: 0, or 1 after one message on stderr.
using Action = std::function<int()>;

/// Each adds its subcommand, whose callback puts the work into `action`.
void addRunCommand(CLI::App &app, Action &action);
void addShowCommand(CLI::App &app, Action &action);
void addCompileCommand(CLI::App &app, Action &action);
void addCompileExpertsCommand(CLI::App &app, Action &action);
void addCacheCommand(CLI::App &app, Action &action);
void addDoctorCommand(CLI::App &app, Action &action);
void addStepCommand(CLI::App &app, Action &action);

} // namespace maskjit
