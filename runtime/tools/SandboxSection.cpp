// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs maskjit-sandbox --probe and puts its JSON into lines.
#include "runtime/tools/SandboxSection.h"
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace maskjit {

namespace fs = std::filesystem;

std::vector<std::string> describeSandbox(const std::string &probe) {
  const nlohmann::json report = nlohmann::json::parse(probe, nullptr, false);
  if (!report.is_object() || !report.contains("layers"))
    return {fmt::format("maskjit-sandbox --probe was expected to print JSON with layers, and printed '{}'", probe)};
  std::vector<std::string> active, lines;
  for (const nlohmann::json &layer : report["layers"]) {
    const std::string name = layer.value("name", "");
    if (layer.value("active", false))
      active.push_back(name);
    else
      lines.push_back(fmt::format("missing: {} ({})", name, layer.value("reason", "")));
  }
  lines.insert(lines.begin(),
               active.empty() ? "no layer is active" : fmt::format("active: {}", fmt::join(active, ", ")));
  lines.push_back(
      report.value("meetsMinimum", false)
          ? "enough for training with code rewards"
          : "not enough for training with code rewards, which need no new privileges, rlimits, seccomp, and a "
            "mount namespace or Landlock; --allow-weak-sandbox overrides");
  return lines;
}

std::vector<std::string> describeSandbox() {
  std::error_code code;
  const fs::path program = fs::read_symlink("/proc/self/exe", code).parent_path() / "maskjit-sandbox";
  if (access(program.c_str(), X_OK) != 0)
    return {fmt::format("no maskjit-sandbox in {}: code rewards are built with LibTorch (MASKJIT_TORCH=ON)",
                        program.parent_path().string())};
  std::string quoted = "'";
  for (char c : program.string())
    quoted += c == '\'' ? "'\\''" : std::string(1, c);
  std::string text;
  if (FILE *pipe = popen((quoted + "' --probe").c_str(), "r")) {
    char part[4096];
    for (size_t got; (got = std::fread(part, 1, sizeof part, pipe)) > 0;)
      text.append(part, got);
    pclose(pipe);
  }
  return describeSandbox(text);
}

} // namespace maskjit
