// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How long the way from a mask's text to a kernel takes: cold, from disk, from memory. One thread, no GPU.
//   bench_compile_time [MASK] [--arch sm_90a]
#include "runtime/cache/KernelCache.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

using namespace maskjit;

template <class Work> static double milliseconds(const Work &work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

static double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Parsed anew each time: its derivation is part of what is timed.
static Mask parse(const std::string &name) {
  Result<Mask> mask = Mask::find(name);
  if (!mask) {
    fmt::print(stderr, "{}\n", mask.error().message);
    std::exit(1);
  }
  return *mask;
}

int main(int argc, char **argv) {
  std::string name = "gpt_oss_sliding", arch = "sm_90a";
  for (int i = 1; i < argc; ++i)
    if (std::string(argv[i]) == "--arch" && i + 1 < argc)
      arch = argv[++i];
    else
      name = argv[i];
  if (!Nvrtc::load()) {
    fmt::print(stderr, "{}\n", Nvrtc::load().error().message);
    return 1;
  }
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("maskjit-compile-time-{}", getpid());
  constexpr int kCold = 5, kDisk = 50, kMemory = 100000;
  fmt::print("{}, {}, D 64, 8 query heads a key head, {}; NVRTC {}; medians\n", name, arch == "sm_75" ? "fp16" : "bf16",
             arch, Nvrtc::load()->version());
  fmt::print("{:<10} {:>10} {:>12} {:>12} {:>12} {:>12}\n", "phase", "key, us", "source, ms", "cold, ms", "disk, ms",
             "memory, us");
  for (Phase phase : {Phase::Forward, Phase::Decode, Phase::Backward}) {
    KernelSpec spec;
    spec.phase = phase;
    spec.dtype = arch == "sm_75" ? DType::F16 : DType::BF16;
    spec.headsPerKeyHead = 8;
    spec.arch = arch;
    std::vector<double> cold, disk, source, key;
    for (int i = 0; i < kCold; ++i) {
      std::filesystem::remove_all(folder);
      source.push_back(milliseconds([&] { (void)emitCuda(parse(name), spec); }));
      cold.push_back(milliseconds([&] {
        KernelCache cache{DiskCache(folder)};
        if (Result<KernelImagePtr> kernel = cache.get(parse(name), spec); !kernel) {
          fmt::print(stderr, "{}\n", kernel.error().message);
          std::exit(1);
        }
      }));
    }
    for (int i = 0; i < kDisk; ++i)
      disk.push_back(milliseconds([&] {
        KernelCache cache{DiskCache(folder)};
        (void)cache.get(parse(name), spec);
      }));
    const Mask mask = parse(name);
    for (int i = 0; i < kDisk; ++i)
      key.push_back(milliseconds([&] { (void)cudaKey(mask, spec); }));
    KernelCache cache{DiskCache(folder)};
    (void)cache.get(mask, spec);
    const double memory = milliseconds([&] {
      for (int i = 0; i < kMemory; ++i)
        (void)cache.get(mask, spec);
    });
    fmt::print("{:<10} {:>10.1f} {:>12.1f} {:>12.0f} {:>12.2f} {:>12.3f}\n",
               phase == Phase::Forward  ? "forward"
               : phase == Phase::Decode ? "decode"
                                        : "backward",
               1e3 * median(key), median(source), median(cold), median(disk), 1e3 * memory / kMemory);
  }
  std::filesystem::remove_all(folder);
  return 0;
}
