// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `maskjit cache list | build | clear`: the kernels on disk. `build` fills it ahead of time, without a GPU.
#include "runtime/cache/CompileCounter.h"
#include "runtime/cache/KernelCache.h"
#include "runtime/tools/Commands.h"
#include "runtime/tools/ExpertsCommands.h"
#include "runtime/tools/KernelOptions.h"
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>
#include <thread>

namespace maskjit {
namespace {

struct BuildFlags {
  std::vector<std::string> archs, masks, phases = phaseNames();
  std::string experts;
  StructureOptions structure;
  int threads = 0;
};

int list() {
  const DiskCache &disk = KernelCache::ofProcess().onDisk();
  const std::vector<DiskCache::Entry> entries = disk.list();
  uint64_t total = 0;
  for (const DiskCache::Entry &entry : entries) {
    const std::optional<std::string> bytes = disk.find(entry.key);
    const std::optional<KernelImage> kernel = bytes ? KernelImage::deserialize(*bytes) : std::nullopt;
    total += entry.bytes;
    if (!kernel)
      continue;
    const std::string what = !kernel->structure.empty()
                                 ? kernel->structure
                                 : fmt::format("{:<20} {:<8} {:<4} D {:<3} group {:<3} {:<7}", kernel->mask,
                                               phaseName(kernel->spec.phase), dtypeName(kernel->spec.dtype),
                                               kernel->spec.headDim, kernel->spec.headsPerKeyHead, kernel->spec.arch);
    fmt::print("{}  {} {:<5} NVRTC {}  {:>8} bytes  used {:%Y-%m-%d %H:%M}\n", kernel->key.substr(0, 12), what,
               kernel->kind == ImageKind::Cubin ? "cubin" : "ptx", kernel->nvrtc, entry.bytes,
               fmt::localtime(entry.used));
  }
  fmt::print("{} kernels, {:.1f} MB in {}\n", entries.size(), static_cast<double>(total) / 1e6, disk.path().string());
  return 0;
}

int clear() {
  const DiskCache &disk = KernelCache::ofProcess().onDisk();
  fmt::print("{} kernels removed from {}\n", disk.clear(), disk.path().string());
  return 0;
}

/// A kernel to have on disk, of a mask or not.
struct Job {
  std::string name;
  std::function<bool()> isOnDisk;
  std::function<Result<KernelImagePtr>()> get;

  Job(KernelCache &cache, const Mask &mask, const KernelSpec &spec)
      : name(fmt::format("{} {} {} {}", mask.name(), phaseName(spec.phase), dtypeName(spec.dtype), spec.arch)),
        isOnDisk([=, &cache] { return cache.isOnDisk(mask, spec); }),
        get([=, &cache] { return cache.get(mask, spec); }) {}
  Job(KernelCache &cache, const KernelRequest &request)
      : name(request.structure), isOnDisk([=, &cache] { return cache.isOnDisk(request); }),
        get([=, &cache] { return cache.get(request); }) {}
};

Result<std::vector<Job>> jobsOf(const BuildFlags &flags, KernelCache &cache) {
  std::vector<Job> jobs;
  if (!flags.experts.empty()) {
    Result<std::vector<KernelRequest>> requests = expertsRequests(flags.experts, flags.archs);
    if (!requests)
      return requests.error();
    for (const KernelRequest &request : *requests)
      jobs.emplace_back(cache, request);
    if (flags.masks.empty())
      return jobs;
  }
  for (const std::string &reference : flags.masks.empty() ? Mask::shipped() : flags.masks) {
    Result<Mask> found = Mask::find(reference);
    if (!found)
      return found.error();
    Result<Mask> mask = found->specialize({});
    if (!mask)
      return mask.error();
    for (const std::string &arch : flags.archs)
      for (const std::string &phase : flags.phases) {
        const KernelSpec spec = flags.structure.spec(*phaseNamed(phase), arch);
        if (!hasKernel(*mask, spec))
          continue; // Hopper's own kernel, where there is none
        jobs.emplace_back(cache, *mask, spec);
        if (Result<std::string> key = cudaKey(*mask, spec); !key) // refused before anything is compiled
          return key.error();
      }
  }
  if (jobs.empty())
    return Error{fmt::format("no kernel to build: forward_sm90 is for sm_90a, head dims 64 and 128 and masks without a "
                             "score clause, got {} with head dim {}",
                             fmt::join(flags.archs, ", "), flags.structure.headDim)};
  return jobs;
}

/// Works off the jobs on several threads; every finished one is a line with its number.
int build(const BuildFlags &flags) {
  const Result<Nvrtc> &nvrtc = Nvrtc::load();
  KernelCache &cache = KernelCache::ofProcess();
  Result<std::vector<Job>> jobs = jobsOf(flags, cache);
  if (!nvrtc || !jobs) {
    fmt::print(stderr, "{}\n", nvrtc ? jobs.error().message : nvrtc.error().message);
    return 1;
  }
  const auto start = std::chrono::steady_clock::now();
  std::atomic<size_t> next{0}, done{0}, failed{0};
  auto work = [&] {
    for (size_t i; (i = next++) < jobs->size();) {
      const Job &job = (*jobs)[i];
      const bool known = job.isOnDisk();
      const auto begin = std::chrono::steady_clock::now();
      const Result<KernelImagePtr> kernel = job.get();
      const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
      const std::string outcome = !kernel ? "error: " + kernel.error().message
                                  : known ? "on disk already"
                                          : fmt::format("compiled in {:.0f} ms", ms);
      failed += !kernel;
      fmt::print(stderr, "[{}/{}] {}: {}\n", ++done, jobs->size(), job.name, outcome);
    }
  };
  std::vector<std::thread> threads;
  const int count =
      flags.threads > 0 ? flags.threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  for (int i = 1; i < std::min<int>(count, static_cast<int>(jobs->size())); ++i)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
  if (std::string failure = cache.storeFailure(); !failure.empty()) {
    fmt::print(stderr, "{}\n", failure);
    return 1;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  fmt::print("{} kernels ready, {} compiled, {} failed, {:.1f} s, in {}\n", jobs->size() - failed, compilations(),
             failed.load(), seconds.count(), cache.onDisk().path().string());
  return failed ? 1 : 0;
}

} // namespace

void addCacheCommand(CLI::App &app, Action &action) {
  CLI::App *command = app.add_subcommand("cache", "the kernels on disk: list, build, clear");
  command->footer("In $MASKJIT_CACHE_DIR, else $XDG_CACHE_HOME/maskjit, else ~/.cache/maskjit.");
  command->require_subcommand(1);
  command->add_subcommand("list", "one line a kernel")->callback([&action] { action = list; });
  command->add_subcommand("clear", "remove every kernel")->callback([&action] { action = clear; });

  auto flags = std::make_shared<BuildFlags>();
  CLI::App *builds = command->add_subcommand("build", "compile kernels ahead of time; needs no GPU");
  builds->add_option("--arch", flags->archs, "architectures, separated by commas: sm_75,sm_90a")
      ->delimiter(',')
      ->required();
  builds->add_option("--masks", flags->masks, "masks, separated by commas; all shipped ones if left out")
      ->delimiter(',');
  builds
      ->add_option("--phase", flags->phases,
                   "forward, forward_sm90, backward_dq, backward_dkdv, decode; all if left out")
      ->delimiter(',')
      ->check(CLI::IsMember(phaseNames()));
  builds->add_option(
      "--experts", flags->experts,
      "HIDDENxINTERMEDIATExTOP, as 2880x2880x4: the kernels of a model's 4-bit experts, and no masks but "
      "those named");
  flags->structure.addTo(*builds);
  builds->add_option("--threads", flags->threads,
                     "compilations at a time; as many as there are processors if left out");
  builds->callback([flags, &action] { action = [flags] { return build(*flags); }; });
}

} // namespace maskjit
