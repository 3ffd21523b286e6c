// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How long the way from a mask's name to a kernel takes: cold, from disk, from memory. One thread, no GPU.
//   bench_compile_time [MASK] [--arch sm_90a]
// A sample of the first three columns is a process of its own: a process remembers the masks that it has parsed and
// derived, and what it has loaded. NVRTC keeps a cache of its own where there is a driver; it is turned off here.
#include "runtime/cache/KernelCache.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace maskjit;

template <class Work> static double milliseconds(const Work &work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

template <class T> static T orExit(Result<T> result) {
  if (result)
    return *result;
  fmt::print(stderr, "{}\n", result.error().message);
  _exit(1);
}

/// What `measure` gives in a new process that has done nothing yet.
template <class Measure> static double inNewProcess(const Measure &measure) {
  int ends[2];
  if (pipe(ends) != 0)
    std::exit(1);
  const pid_t child = fork();
  if (child == 0) {
    const double value = measure();
    _exit(write(ends[1], &value, sizeof value) == sizeof value ? 0 : 1);
  }
  double value = 0;
  close(ends[1]);
  const bool got = child > 0 && read(ends[0], &value, sizeof value) == sizeof value;
  close(ends[0]);
  waitpid(child, nullptr, 0);
  if (!got)
    std::exit(1); // the child has said why
  return value;
}

struct Spread {
  double median, least, most;
};
template <class Measure> static Spread sample(int count, const Measure &measure) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i)
    values.push_back(inNewProcess(measure));
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}
static std::string text(const Spread &s, int digits) {
  return fmt::format("{:.{}f} ({:.{}f}-{:.{}f})", s.median, digits, s.least, digits, s.most, digits);
}

int main(int argc, char **argv) {
  std::string name = "gpt_oss_sliding", arch = "sm_90a";
  for (int i = 1; i < argc; ++i)
    if (std::string(argv[i]) == "--arch" && i + 1 < argc)
      arch = argv[++i];
    else
      name = argv[i];
  setenv("CUDA_CACHE_DISABLE", "1", 1); // before NVRTC is loaded
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("maskjit-compile-time-{}", getpid());
  constexpr int kCold = 7, kDisk = 25, kMemory = 100000;
  fmt::print("{}, {}, D 64, 8 query heads a key head, {}; median (least-most) of {}, {} and {} processes\n", name,
             arch == "sm_75" ? "fp16" : "bf16", arch, kCold, kCold, kDisk);
  fmt::print("{:<13} {:>22} {:>24} {:>22} {:>12}\n", "phase", "source, ms", "cold, ms", "disk, ms", "memory, us");
  for (Phase phase : kPhases) {
    KernelSpec spec;
    spec.phase = phase;
    spec.dtype = arch == "sm_75" ? DType::F16 : DType::BF16;
    spec.headsPerKeyHead = 8;
    spec.arch = arch;
    if (!hasKernel(orExit(Mask::find(name)), spec))
      continue;
    auto fromCache = [&, spec = spec] {
      return milliseconds([&] {
        KernelCache cache{DiskCache(folder)};
        orExit(cache.get(orExit(Mask::find(name)), spec));
      });
    };
    const Spread source = sample(
        kCold, [&, spec = spec] { return milliseconds([&] { orExit(emitCuda(orExit(Mask::find(name)), spec)); }); });
    const Spread cold = sample(kCold, [&] {
      std::filesystem::remove_all(folder);
      return fromCache();
    });
    const Spread disk = sample(kDisk, fromCache);
    const double memory = inNewProcess([&, spec = spec] {
      const Mask mask = orExit(Mask::find(name));
      KernelCache cache{DiskCache(folder)};
      orExit(cache.get(mask, spec));
      return milliseconds([&] {
        for (int i = 0; i < kMemory; ++i)
          (void)cache.get(mask, spec);
      });
    });
    fmt::print("{:<13} {:>22} {:>24} {:>22} {:>12.3f}\n", phaseName(phase), text(source, 1), text(cold, 0),
               text(disk, 2), 1e3 * memory / kMemory);
    std::fflush(stdout);
  }
  std::filesystem::remove_all(folder);
  return 0;
}
