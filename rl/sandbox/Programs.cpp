// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The sandbox's own files, found from the running program.
#include "rl/sandbox/Programs.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace maskjit::rl {

Result<std::string> sandboxProgram() {
  std::error_code code;
  const fs::path folder = fs::read_symlink("/proc/self/exe", code).parent_path();
  for (const fs::path &path : {folder / "maskjit-sandbox", folder.parent_path() / "bin" / "maskjit-sandbox"})
    if (access(path.c_str(), X_OK) == 0)
      return path.string();
  return Error{fmt::format("maskjit-sandbox was expected beside this program, in {}; build or install it there "
                           "(ninja maskjit-sandbox)",
                           folder.string())};
}

Result<std::string> lockdownLibrary() {
  const Result<std::string> program = sandboxProgram();
  if (!program)
    return program;
  const fs::path path = fs::path(*program).parent_path().parent_path() / "lib" / "libmaskjit_lockdown.so";
  if (access(path.c_str(), R_OK) == 0)
    return path.string();
  return Error{fmt::format("{} is missing; build or install it (ninja maskjit_lockdown)", path.string())};
}

Result<std::string> outputOf(const std::vector<std::string> &argv, const std::vector<std::string> &environment) {
  int output[2];
  if (pipe2(output, O_CLOEXEC) != 0)
    return Error{fmt::format("pipe: {}", std::strerror(errno))};
  std::vector<char *> arguments, variables;
  for (const std::string &argument : argv)
    arguments.push_back(const_cast<char *>(argument.c_str()));
  for (const std::string &variable : environment)
    variables.push_back(const_cast<char *>(variable.c_str()));
  arguments.push_back(nullptr);
  variables.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int failure = posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), variables.data());
  posix_spawn_file_actions_destroy(&actions);
  close(output[1]);
  std::string text;
  char part[4096];
  for (ssize_t got; failure == 0 && (got = read(output[0], part, sizeof part)) != 0;)
    if (got > 0)
      text.append(part, static_cast<size_t>(got));
    else if (errno != EINTR)
      break;
  close(output[0]);
  if (failure != 0)
    return Error{fmt::format("{}: {}", argv[0], std::strerror(failure))};
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return Error{fmt::format("'{}' was expected to succeed and ended with status {}", fmt::join(argv, " "), status)};
  return text;
}

} // namespace maskjit::rl
