// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// metrics.jsonl, and the comparison of settings on resume.
#include "rl/MetricsFile.h"
#include "rl/Checkpoint.h"
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace maskjit::rl {

static std::string pathIn(const std::string &directory) { return directory + "/metrics.jsonl"; }

static void write(const std::string &path, std::ios::openmode mode, const std::string &text) {
  std::ofstream out(path, mode);
  out << text;
  if (!out.flush())
    throw std::runtime_error(path + ": cannot write: " + std::strerror(errno));
}

void startMetricsFile(const std::string &directory) { write(pathIn(directory), std::ios::trunc, ""); }

void appendMetricsLine(const std::string &directory, const nlohmann::json &line) {
  write(pathIn(directory), std::ios::app, line.dump() + "\n");
}

void cutMetricsFile(const std::string &directory, int64_t step) {
  std::ifstream in(pathIn(directory));
  std::string kept;
  for (std::string line; std::getline(in, line);) {
    nlohmann::json j = nlohmann::json::parse(line, nullptr, false); // a line cut off by a crash does not parse
    if (j.is_object() && j.value("step", step + 1) <= step)
      kept += line + "\n";
  }
  writeFileAtomically(pathIn(directory), kept);
}

void requireSameSettings(const nlohmann::json &saved, const nlohmann::json &now, const std::string &checkpoint) {
  for (const auto &[key, value] : now.items())
    if (!saved.contains(key) || saved[key] != value)
      throw std::runtime_error("cannot resume from " + checkpoint + ": it was made with " + key + " = " +
                               (saved.contains(key) ? saved[key].dump() : "nothing") + ", this run has " +
                               value.dump() + "; give the same settings");
}

} // namespace maskjit::rl
