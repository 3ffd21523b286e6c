// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Options become a specification in a sealed memory file.
#include "rl/sandbox/SandboxTemplate.h"
#include "rl/sandbox/Filters.h"
#include "rl/sandbox/Programs.h"
#include "rl/sandbox/Spec.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

namespace maskjit::rl {

SandboxTemplate::Shared::~Shared() {
  if (file >= 0)
    close(file);
}

static Result<void> check(const SandboxOptions &options) {
  if (options.argv.empty() || options.argv[0].empty() || options.argv[0][0] != '/')
    return Error{"a sandbox needs the absolute path of its program as argv[0]"};
  if (options.limits.processes < 1 || options.limits.outputBytes == 0 || options.limits.cpuSeconds <= 0 ||
      options.limits.wallSeconds <= 0)
    return Error{"a sandbox needs at least one process, and output, CPU time and wall time above zero"};
  for (const std::string &file : options.files)
    if (file.empty() || file[0] != '/' || access(file.c_str(), R_OK) != 0)
      return Error{fmt::format("a sandbox was to show '{}', which cannot be read or is no absolute path", file)};
  return {};
}

Result<SandboxTemplate> SandboxTemplate::create(SandboxOptions options, bool zygote) {
  if (Result<void> checked = check(options); !checked)
    return checked.error();
  Result<std::vector<std::string>> libraries = sharedLibrariesOf(options.argv[0]);
  if (!libraries)
    return libraries.error();
  auto shared = std::make_shared<Shared>();
  const Result<std::string> program = sandboxProgram();
  if (!program)
    return program.error();
  shared->program = *program;
  SandboxSpec spec;
  std::vector<std::string> files = std::move(*libraries);
  files.push_back(options.argv[0]);
  if (options.channel == SandboxChannel::Messages && options.layers.count(SandboxLayer::Seccomp)) {
    const Result<std::string> library = lockdownLibrary();
    if (!library)
      return library.error();
    files.push_back(spec.lockdown = *library);
  }
  for (const std::string &file : files)
    if (std::find(options.files.begin(), options.files.end(), file) == options.files.end())
      options.files.push_back(file);
  const Result<Filters> filters = buildFilters(options, zygote);
  if (!filters)
    return filters.error();
  spec.argv = options.argv;
  spec.files = options.files;
  spec.hidden = options.hidden;
  spec.layers = options.layers;
  spec.limits = options.limits;
  spec.messages = options.channel == SandboxChannel::Messages;
  spec.zygote = zygote;
  spec.cpu = options.cpu;
  spec.startFilter = filters->start;
  spec.finalFilter = filters->final;
  const std::string bytes = spec.encode();
  shared->file = memfd_create("specification", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (shared->file < 0 || write(shared->file, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      fcntl(shared->file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return Error{fmt::format("the sandbox's specification cannot be written: {}", std::strerror(errno))};
  shared->options = std::move(options);
  SandboxTemplate made;
  made.shared = std::move(shared);
  return made;
}

} // namespace maskjit::rl
