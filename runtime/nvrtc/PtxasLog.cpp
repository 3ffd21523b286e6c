// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads ptxas's verbose log:
//   ptxas info    : Compiling entry function 'k' for 'sm_90a'
//   ptxas info    : Function properties for k
//       0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
//   ptxas info    : Used 128 registers, used 1 barriers, 16 bytes smem
#include "runtime/nvrtc/Nvrtc.h"
#include <charconv>

namespace maskjit {

/// The number that stands before `what` in `line`, or `otherwise`.
static int numberBefore(std::string_view line, std::string_view what, int otherwise) {
  const size_t at = line.find(what);
  if (at == std::string_view::npos)
    return otherwise;
  const size_t begin = line.find_last_not_of("0123456789", at - 1) + 1;
  int number = otherwise;
  std::from_chars(line.data() + begin, line.data() + at, number);
  return number;
}

std::vector<KernelResources> parsePtxasLog(std::string_view log) {
  std::vector<KernelResources> kernels;
  bool ofEntry = false; // properties of device functions that were not inlined come between
  for (size_t begin = 0; begin < log.size();) {
    const size_t end = std::min(log.find('\n', begin), log.size());
    const std::string_view line = log.substr(begin, end - begin);
    begin = end + 1;
    if (const std::string_view intro = "Compiling entry function '"; line.find(intro) != std::string_view::npos) {
      const std::string_view rest = line.substr(line.find(intro) + intro.size());
      kernels.push_back({std::string(rest.substr(0, rest.find('\'')))});
      continue;
    }
    if (kernels.empty())
      continue;
    KernelResources &kernel = kernels.back();
    if (const std::string_view intro = "Function properties for "; line.find(intro) != std::string_view::npos) {
      ofEntry = line.substr(line.find(intro) + intro.size()) == kernel.entry;
    } else if (line.find("Used ") != std::string_view::npos) {
      kernel.registers = numberBefore(line, " registers", kernel.registers);
      kernel.sharedBytes = numberBefore(line, " bytes smem", kernel.sharedBytes);
      // newer ptxas says the stack here as well
      kernel.stackBytes = numberBefore(line, " bytes cumulative stack size", kernel.stackBytes);
    } else if (ofEntry) {
      kernel.stackBytes = numberBefore(line, " bytes stack frame", kernel.stackBytes);
      kernel.spillStores = numberBefore(line, " bytes spill stores", kernel.spillStores);
      kernel.spillLoads = numberBefore(line, " bytes spill loads", kernel.spillLoads);
    }
  }
  return kernels;
}

} // namespace maskjit
