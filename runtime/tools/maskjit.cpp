// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The program maskjit: masks shown, compiled, run. Exit code 0: done, 1: an error, told on stderr, 2: a wrong command
// line.
#include "runtime/tools/Commands.h"

int main(int argc, char **argv) {
  CLI::App app{"maskjit: attention masks, compiled into kernels", "maskjit"};
  app.set_version_flag("--version", "maskjit " MASKJIT_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::help);
  maskjit::Action action;
  maskjit::addShowCommand(app, action);
  maskjit::addCompileCommand(app, action);
  maskjit::addCompileExpertsCommand(app, action);
  maskjit::addRunCommand(app, action);
  maskjit::addStepCommand(app, action);
  maskjit::addCacheCommand(app, action);
  maskjit::addDoctorCommand(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &help) {
    return app.exit(help);
  } catch (const CLI::ParseError &error) {
    app.exit(error);
    return 2;
  }
  return action();
}
