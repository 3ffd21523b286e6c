// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The commands of maskjit-rl that run a model: generate, logits, diff, quantize.
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
void addDiffCommand(CLI::App &app);
void addQuantizeCommand(CLI::App &app);

/// Says on a terminal how far a load that takes seconds has come; empty where standard error is no terminal.
LoadProgress progressOnTerminal(const std::string &what);

/// The options by which every command names its model.
struct ModelOptions {
  std::string model, adapter, device = "cpu", dtype;
  std::string nf4 = "none"; // what becomes NF4 on load: none, attention, all

  bool dense = false;           // what the checkpoint holds in 4 bits becomes plain numbers
  bool embeddingOnHost = false; // of a model on a GPU

  void addTo(CLI::App &command);
  /// All but --model, each name followed by `suffix`.
  void addPlacementTo(CLI::App &command, const std::string &suffix);
  /// Loads model and adapter. Throws std::runtime_error if device and dtype do not fit each other or the machine.
  std::shared_ptr<GptOss> load() const;
};

} // namespace maskjit
