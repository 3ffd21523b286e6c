// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `maskjit doctor`: what this machine has and what is missing for more.
#include "runtime/cache/KernelCache.h"
#include "runtime/launch/Driver.h"
#include "runtime/launch/LoadedKernel.h"
#include "runtime/tools/Commands.h"
#include "runtime/tools/SandboxSection.h"
#include <cstdio>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <thread>
#include <utility>

namespace maskjit {
namespace {

void say(const char *what, const std::string &text) { fmt::print("{:<14} {}\n", what, text); }

void sayNvrtc() {
  const Result<Nvrtc> &nvrtc = Nvrtc::load();
  if (!nvrtc)
    return say("NVRTC", nvrtc.error().message);
  say("NVRTC", fmt::format("{} in {}", nvrtc->version(), nvrtc->path()));
  std::vector<std::string> can, cannot;
  for (const std::string &arch : architectures())
    (nvrtc->supports(arch) ? can : cannot).push_back(arch);
  say("", fmt::format("compiles for {}", fmt::join(can, " ")));
  if (!cannot.empty())
    say("", fmt::format("not for {}: install a newer CUDA", fmt::join(cannot, " ")));
}

void sayGpus() {
  const Result<cuda::Driver> &driver = cuda::Driver::load();
  if (!driver)
    return say("CUDA driver", driver.error().message);
  int version = 0, count = 0;
  driver->driverGetVersion(&version);
  driver->deviceGetCount(&count);
  say("CUDA driver", fmt::format("for CUDA {}.{}", version / 1000, version % 1000 / 10));
  if (count == 0)
    say("GPU", "none visible; set CUDA_VISIBLE_DEVICES, or use the CPU target");
  for (int i = 0; i < count; ++i) {
    char name[256] = "";
    int device = 0, major = 0, minor = 0, processors = 0;
    driver->deviceGet(&device, i);
    driver->deviceGetName(name, sizeof name, device);
    driver->deviceGetAttribute(&major, cuda::Attribute::ComputeCapabilityMajor, device);
    driver->deviceGetAttribute(&minor, cuda::Attribute::ComputeCapabilityMinor, device);
    driver->deviceGetAttribute(&processors, cuda::Attribute::MultiprocessorCount, device);
    const Result<cuda::Target> target = cuda::targetOf(major, minor);
    say(fmt::format("GPU {}", i).c_str(),
        fmt::format("{}, capability {}.{}, {} multiprocessors; {}", name, major, minor, processors,
                    !target                            ? target.error().message
                    : target->kind == ImageKind::Cubin ? "kernels of " + target->arch
                                                       : "PTX of " + target->arch));
  }
}

void sayCache() {
  const DiskCache disk = DiskCache::ofUser();
  uint64_t total = 0;
  const std::vector<DiskCache::Entry> entries = disk.list();
  for (const DiskCache::Entry &entry : entries)
    total += entry.bytes;
  const std::string probe = "doctor-probe";
  const Result<void> writable = disk.store(probe, "");
  if (writable)
    disk.remove(probe);
  say("kernel cache",
      fmt::format("{}: {} kernels, {:.1f} MB", disk.path().string(), entries.size(), static_cast<double>(total) / 1e6));
  if (!writable)
    say("", writable.error().message);
}

void saySandbox() {
  const char *what = "sandbox";
  for (const std::string &line : describeSandbox())
    say(std::exchange(what, ""), line);
}

int doctor() {
  say("maskjit", MASKJIT_VERSION);
  say("LLVM", MASKJIT_LLVM_VERSION);
  say("processors", fmt::format("{}; the CPU target works everywhere", std::thread::hardware_concurrency()));
  sayNvrtc();
  sayGpus();
  sayCache();
  saySandbox();
  say("masks", fmt::format("{}", fmt::join(Mask::shipped(), " ")));
  return 0;
}

} // namespace

void addDoctorCommand(CLI::App &app, Action &action) {
  app.add_subcommand("doctor", "what this machine has, and what to install for more")->callback([&action] {
    action = doctor;
  });
}

} // namespace maskjit
