// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads /proc/<pid>/status, from outside the worker's namespaces.
#include "rl/sandbox/supervisor/Watch.h"
#include <cstdio>
#include <fmt/format.h>

namespace maskjit::rl {

bool needsWatch(const SandboxSpec &spec) { return spec.limits.processes > 1 || spec.limits.residentBytes > 0; }

SupervisorEvent::Excess findExcess(const SandboxSpec &spec, int pid) {
  std::FILE *file = std::fopen(fmt::format("/proc/{}/status", pid).c_str(), "re");
  if (!file)
    return SupervisorEvent::None; // it is ending
  SupervisorEvent::Excess excess = SupervisorEvent::None;
  char line[256];
  while (std::fgets(line, sizeof line, file)) {
    unsigned long long value = 0;
    if (std::sscanf(line, "VmRSS: %llu kB", &value) == 1 && spec.limits.residentBytes > 0 &&
        value * 1024 > spec.limits.residentBytes)
      excess = SupervisorEvent::TooMuchMemory;
    if (std::sscanf(line, "Threads: %llu", &value) == 1 && value > static_cast<unsigned>(spec.limits.processes))
      excess = SupervisorEvent::TooManyThreads;
  }
  std::fclose(file);
  return excess;
}

} // namespace maskjit::rl
