// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The files that a program needs to run: its loader, its libraries, and Python's standard library.
#include "rl/sandbox/Programs.h"
#include "rl/sandbox/Sandbox.h"
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unistd.h>

namespace fs = std::filesystem;

namespace maskjit::rl {

Result<std::vector<std::string>> sharedLibrariesOf(const std::string &program) {
  // The loader prints "name => path (address)" or "path (address)" instead of running the program.
  const Result<std::string> text = outputOf({program}, {"LD_TRACE_LOADED_OBJECTS=1"});
  if (!text)
    return Error{fmt::format("the shared libraries of {} cannot be listed: {}", program, text.error().message)};
  std::vector<std::string> libraries;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const size_t slash = line.find('/'), end = line.rfind(" (");
    if (slash != std::string::npos && end != std::string::npos && end > slash)
      libraries.push_back(line.substr(slash, end - slash));
  }
  // Tells the loader where libraries outside its own folders lie, as outside the sandbox.
  const char *const cache = "/etc/ld.so.cache";
  if (!libraries.empty() && access(cache, R_OK) == 0)
    libraries.push_back(cache);
  if (libraries.empty())
    return Error{
        fmt::format("the loader of {} names no shared libraries; workers must be dynamically linked", program)};
  return libraries;
}

static Result<std::string> findInPath(const std::string &name) {
  if (name.find('/') != std::string::npos)
    return name;
  const char *path = std::getenv("PATH");
  std::istringstream folders(path ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (access((folder + "/" + name).c_str(), X_OK) == 0)
      return folder + "/" + name;
  return Error{fmt::format("no program '{}' in PATH", name)};
}

Result<PythonRuntime> findPython(const std::string &name) {
  const Result<std::string> found = findInPath(name);
  if (!found)
    return found.error();
  // Asked itself: what PATH names may be a script or a link into a virtual environment.
  static const char *const kQuestion =
      "import json, os, sys, sysconfig\n"
      "p = sysconfig.get_paths()\n"
      "print(json.dumps([os.path.realpath(sys.executable), p['stdlib'], p['platstdlib']]))";
  const char *path = std::getenv("PATH"), *home = std::getenv("HOME");
  const Result<std::string> answer =
      outputOf({*found, "-I", "-S", "-c", kQuestion},
               {fmt::format("PATH={}", path ? path : ""), fmt::format("HOME={}", home ? home : "/")});
  if (!answer)
    return answer.error();
  const nlohmann::json paths = nlohmann::json::parse(*answer, nullptr, false);
  if (!paths.is_array() || paths.size() != 3)
    return Error{fmt::format("{} was expected to print its paths, and printed '{}'", *found, *answer)};
  PythonRuntime python;
  python.program = paths[0];
  const Result<std::vector<std::string>> libraries = sharedLibrariesOf(python.program);
  if (!libraries)
    return libraries.error();
  python.files = *libraries;
  python.files.push_back(python.program);
  for (size_t i = 1; i < paths.size(); ++i) {
    const std::string folder = paths[i];
    if (std::find(python.files.begin(), python.files.end(), folder) != python.files.end())
      continue;
    python.files.push_back(folder);
    // numpy and its like lie there
    for (const char *name : {"site-packages", "dist-packages"})
      if (fs::is_directory(folder + "/" + name))
        python.hidden.push_back(folder + "/" + name);
  }
  return python;
}

} // namespace maskjit::rl
