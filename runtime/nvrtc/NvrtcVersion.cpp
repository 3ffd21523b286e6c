// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The note of NVRTC's version: five lines, written under another name and renamed.
#include "runtime/nvrtc/NvrtcVersion.h"
#include "runtime/nvrtc/Nvrtc.h"
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace maskjit {
namespace fs = std::filesystem;

static std::string chosenByUser() {
  const char *path = std::getenv("MASKJIT_NVRTC");
  return path ? path : "";
}

/// What tells one state of a file from another; empty if there is no file.
static std::string stateOf(const std::string &path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0)
    return "";
  return fmt::format("{} {}.{:09}", info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

static std::optional<std::string> noted(const fs::path &note) {
  std::ifstream file(note);
  std::string choice, path, state, version, end;
  for (std::string *line : {&choice, &path, &state, &version, &end})
    if (!std::getline(file, *line))
      return std::nullopt;
  const bool holds = choice == chosenByUser() && !state.empty() && state == stateOf(path) && end == "end";
  return holds ? std::optional<std::string>(version) : std::nullopt;
}

/// A note that cannot be written only costs the next process a load.
static void remember(const fs::path &note, const Nvrtc &nvrtc) {
  std::error_code ignored;
  fs::create_directories(note.parent_path(), ignored);
  const fs::path temporary = note.parent_path() / fmt::format(".nvrtc.{}.tmp", getpid());
  std::ofstream file(temporary);
  file << chosenByUser() << '\n'
       << nvrtc.path() << '\n'
       << stateOf(nvrtc.path()) << '\n'
       << nvrtc.version() << "\nend\n";
  file.close();
  if (file)
    fs::rename(temporary, note, ignored);
  fs::remove(temporary, ignored);
}

std::optional<std::string> nvrtcVersion(const fs::path &folder) {
  const fs::path note = folder / ".nvrtc";
  if (std::optional<std::string> version = noted(note))
    return version;
  const Result<Nvrtc> &nvrtc = Nvrtc::load();
  if (!nvrtc)
    return std::nullopt;
  remember(note, *nvrtc);
  return nvrtc->version();
}

} // namespace maskjit
