// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// maskjit-rl diff: where two checkpoints, or one on two devices or held in two ways, part.
#include "model/Diff.h"
#include "model/JsonFields.h"
#include "model/Tokenizer.h"
#include "model/tools/Commands.h"
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fmt/format.h>

namespace maskjit {
namespace {

struct DiffArguments {
  ModelOptions a, b;
  std::string prompt;
  int64_t tokens = 256;
};

Batch batchOf(const DiffArguments &arguments) {
  Batch batch;
  if (!arguments.prompt.empty()) {
    batch.inputIds = at::tensor(Tokenizer::load(arguments.a.model)->encode(arguments.prompt), at::kLong).unsqueeze(0);
    return batch;
  }
  const int64_t vocabulary = Config::load(arguments.a.model).vocabSize;
  batch.inputIds =
      at::empty({1, arguments.tokens}, at::kLong).random_(0, vocabulary, at::detail::createCPUGenerator(0));
  return batch;
}

void printDiff(const std::vector<ModuleDiff> &modules) {
  std::fputs("layer  module     inputs  outputs  error so far  its own error  same choice\n", stdout);
  for (const ModuleDiff &m : modules) {
    const bool chooses = m.module == "router" || m.module == "head";
    const auto equal = [](bool holds) { return holds ? "equal" : "differ"; };
    std::fputs(fmt::format("{:>5}  {:<9}  {:<6}  {:<7}  {:>12.3e}  {:>13.3e}  {:>11}\n",
                           m.module == "head" ? "-" : std::to_string(m.layer), m.module, equal(m.inputsEqual),
                           equal(m.outputsEqual), m.outputError, m.ownError,
                           chooses ? fmt::format("{:.2f} %", 100 * m.sameChoice) : "")
                   .c_str(),
               stdout);
  }
  for (const ModuleDiff &m : modules)
    if (m.inputsEqual && !m.outputsEqual) {
      std::fputs(fmt::format("equal inputs give other outputs first in layer {}, {}\n", m.layer, m.module).c_str(),
                 stdout);
      return;
    }
}

} // namespace

void addDiffCommand(CLI::App &app) {
  auto arguments = std::make_shared<DiffArguments>();
  CLI::App &command = *app.add_subcommand("diff", "compare two models layer by layer and module by module");
  command.add_option("A", arguments->a.model, "folder of the checkpoint that errors are measured against")->required();
  command.add_option("B", arguments->b.model, "folder of the other; it may be the same")->required();
  for (auto [model, end] : {std::pair(&arguments->a, "-a"), std::pair(&arguments->b, "-b")}) {
    const std::string suffix = end;
    model->addPlacementTo(command, suffix);
  }
  command.add_option("--prompt", arguments->prompt, "text to run; else random tokens");
  command.add_option("--tokens", arguments->tokens, "number of random tokens")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.callback([arguments] {
    printDiff(
        diffModels([&] { return arguments->a.load(); }, [&] { return arguments->b.load(); }, batchOf(*arguments)));
  });
}

} // namespace maskjit
