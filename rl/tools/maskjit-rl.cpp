// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// maskjit-rl: makes warm starts, trains adapters by reinforcement learning, evaluates and generates.
#include "model/tools/Commands.h"
#include "rl/tools/Commands.h"
#include "rl/tools/CudaLibrary.h"
#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <c10/util/Exception.h>
#include <csignal>
#include <fmt/format.h>

namespace {

maskjit::rl::Session session;

/// The first Ctrl-C asks for an orderly end, the second ends the program at once.
void onInterrupt(int) {
  session.stop = true;
  std::signal(SIGINT, SIG_DFL);
}

} // namespace

int main(int argc, char **argv) {
  // Before anything of LibTorch runs: it looks for CUDA once and remembers the answer.
  maskjit::rl::loadTorchCuda();
  // LibTorch's threads spin at the end of each of its many small operations; the work of a step is in products and
  // attention, which have threads of their own (MASKJIT_THREADS).
  at::set_num_threads(1);
  CLI::App app{"maskjit-rl: reinforcement learning of gpt-oss on compiled attention kernels"};
  app.require_subcommand(1);
  maskjit::rl::addSftCommand(app, session);
  maskjit::rl::addTrainCommand(app, session);
  maskjit::rl::addEvalCommand(app, session);
  maskjit::rl::addHackingCommand(app, session);
  maskjit::rl::addJudgeCommand(app, session);
  maskjit::rl::addAuditCommand(app, session);
  maskjit::addGenerateCommand(app);
  maskjit::addLogitsCommand(app);
  maskjit::addDiffCommand(app);
  maskjit::addQuantizeCommand(app);
  std::signal(SIGINT, onInterrupt);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error);
  } catch (const c10::Error &error) {
    fmt::print(stderr, "error: {}\n", error.what_without_backtrace());
    return 1;
  } catch (const std::exception &error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
  return session.exitCode;
}
