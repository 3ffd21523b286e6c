// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The subcommands of maskjit-rl that live in rl; each adds itself to the program.
#pragma once
#include <atomic>

namespace CLI {
class App;
}

namespace maskjit::rl {

/// Set by the first Ctrl-C; the running command saves and ends. `exitCode` is what main returns.
struct Session {
  std::atomic<bool> stop{false};
  int exitCode = 0;
};

void addSftCommand(CLI::App &app, Session &session);
void addTrainCommand(CLI::App &app, Session &session);
void addEvalCommand(CLI::App &app, Session &session);
void addHackingCommand(CLI::App &app, Session &session);
void addJudgeCommand(CLI::App &app, Session &session);
void addAuditCommand(CLI::App &app, Session &session);

} // namespace maskjit::rl
