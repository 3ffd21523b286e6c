// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// maskjit-rl quantize: writes a checkpoint again with its attention, and if wanted its experts, in NF4.
#include "model/QuantizeCheckpoint.h"
#include "model/tools/Commands.h"
#include <CLI/CLI.hpp>

namespace maskjit {

void addQuantizeCommand(CLI::App &app) {
  struct Arguments {
    std::string model, out, experts = "bf16";
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App &command = *app.add_subcommand("quantize", "write a checkpoint with weights in NF4");
  command.add_option("--model", arguments->model, "folder of the checkpoint to read, BF16 or MXFP4")->required();
  command.add_option("--out", arguments->out, "folder to write")->required();
  command
      .add_option("--experts", arguments->experts,
                  "bf16: transformers loads it; nf4: expert by expert, as community checkpoints hold them")
      ->check(CLI::IsMember({"bf16", "nf4"}))
      ->capture_default_str();
  command.callback([arguments] {
    quantizeCheckpoint(arguments->model, arguments->out,
                       arguments->experts == "nf4" ? ExpertFormat::Nf4 : ExpertFormat::Bf16,
                       progressOnTerminal("quantizing"));
  });
}

} // namespace maskjit
