// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A line on the terminal while a long load goes on.
#include "model/tools/Commands.h"
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace maskjit {

LoadProgress progressOnTerminal(const std::string &what) {
  if (!isatty(STDERR_FILENO))
    return {};
  using Clock = std::chrono::steady_clock;
  constexpr double kPatience = 2, kInterval = 0.2; // seconds: a short load says nothing
  return [what, start = Clock::now(), last = Clock::now()](size_t done, size_t total) mutable {
    const Clock::time_point now = Clock::now();
    const std::chrono::duration<double> since = now - start, sinceLast = now - last;
    if (since.count() < kPatience || (done < total && sinceLast.count() < kInterval))
      return;
    last = now;
    std::fputs(fmt::format("\r{}: {:.1f} of {:.1f} GB, {:.1f} s{}", what, done / 1e9, total / 1e9, since.count(),
                           done == total ? "\n" : "")
                   .c_str(),
               stderr);
  };
}

} // namespace maskjit
