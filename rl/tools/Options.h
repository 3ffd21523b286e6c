// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Command-line and configuration-file options of maskjit-rl.
#pragma once
#include "rl/Settings.h"

namespace CLI {
class App;
}

namespace maskjit::rl {

/// Adds --name for each setting, and its spelling with underscores (TRL's).
void addTrainOptions(CLI::App &app, Settings &settings);

} // namespace maskjit::rl
