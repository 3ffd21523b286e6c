// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One process of maskjit-sandbox, with its descriptors in their places and nothing else.
#include "rl/sandbox/Spawn.h"
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <unistd.h>

namespace maskjit::rl {

Result<std::unique_ptr<WorkerLink>> spawnSupervised(const SandboxTemplate &kind, int zygoteOrders) {
  // Memory shared with a zygote would be shared by all its children: each gets its own instead.
  Result<WorkerPipes> pipes = makeWorkerPipes(zygoteOrders < 0 ? kind.options().sharedBytes : 0);
  if (!pipes)
    return pipes.error();
  const WorkerEnds &theirs = pipes->theirs;
  const std::pair<int, int> places[] = {{theirs.text.number, STDOUT_FILENO},
                                        {theirs.text.number, STDERR_FILENO},
                                        {theirs.requests.number, kSupervisorRequests},
                                        {theirs.replies.number, kSupervisorReplies},
                                        {pipes->ours.shared.number, kSupervisorShared},
                                        {kind.file(), kSupervisorSpec},
                                        {theirs.control.number, kSupervisorControl},
                                        {zygoteOrders, kSupervisorZygote}};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  // Moved out of the way of all places first: dup2 must not overwrite one that is still to come.
  std::vector<Descriptor> moved;
  for (const auto &[from, to] : places) {
    if (from < 0) {
      posix_spawn_file_actions_addclose(&actions, to);
      continue;
    }
    moved.emplace_back(fcntl(from, F_DUPFD_CLOEXEC, kSupervisorZygote + 1));
    posix_spawn_file_actions_adddup2(&actions, moved.back().number, to);
  }
  char *argv[] = {const_cast<char *>(kind.program().c_str()), const_cast<char *>("--supervise"), nullptr};
  char *environment[] = {nullptr};
  pid_t supervisor = -1;
  const int failure = posix_spawn(&supervisor, argv[0], &actions, nullptr, argv, environment);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0)
    return Error{fmt::format("{}: {}", kind.program(), std::strerror(failure))};
  return WorkerLink::create(kind.options(), std::move(pipes->ours), supervisor);
}

} // namespace maskjit::rl
