// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The commands of maskjit-rl that run a model: generate and logits.
#pragma once
#include "model/GptOss.h"
#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace maskjit {

void addGenerateCommand(CLI::App &app);
void addLogitsCommand(CLI::App &app);

/// The options by which every command names its model.
struct ModelOptions {
  std::string model, adapter, device = "cpu", dtype;

  void addTo(CLI::App &command);
  /// Loads model and adapter. Throws std::runtime_error if device and dtype do not fit each other or the machine.
  std::shared_ptr<GptOss> load() const;
};

} // namespace maskjit
