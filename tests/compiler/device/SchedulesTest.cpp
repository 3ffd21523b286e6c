// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every schedule compiles for its architectures and keeps its accumulators in registers; what does not fit is refused.
#include "DeviceProgram.h"
#include "KernelFile.h"
#include <atomic>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mutex>
#include <thread>

namespace maskjit::test {
namespace {

using ::testing::HasSubstr;

constexpr int kHeadDims[] = {32, 64, 96, 128, 256};

/// Bytes a thread may spill. Head dim 256 holds 128 accumulators beside fragments of every operand: what is spilled
/// there are addresses, outside the products. Hopper's consumers give registers to the producer and keep 160; up to 32
/// bytes are spilled outside their loops.
int spillLimit(int headDim) { return headDim == 256 ? 112 : 32; }

int sharedLimit(const std::string &arch) { // bytes a block may have
  const std::map<std::string, int> limits = {{"sm_75", 65536},   {"sm_80", 166912},  {"sm_86", 101376},
                                             {"sm_89", 101376},  {"sm_90a", 232448}, {"sm_100", 232448},
                                             {"sm_103", 232448}, {"sm_120", 101376}};
  return limits.at(arch);
}

struct Wanted {
  std::string arch;
  const TestMask *mask;
  int headDim;
};

/// Both families with every head dim; every architecture, and every form of mask, with one.
std::vector<Wanted> wanted() {
  std::vector<Wanted> list;
  for (const std::string &arch : architectures())
    for (int d : kHeadDims)
      if (d == 64 || arch == "sm_75" || arch == "sm_80" || (arch == "sm_90a" && d == 128))
        list.push_back({arch, &windowMask(), d});
  for (const TestMask *mask : {&opaqueWindowMask(), &globalMask(), &documentsMask(), &headMask()})
    list.push_back({"sm_80", mask, 64});
  return list;
}

TEST(Schedules, CompileWithoutSpillingAccumulators) {
  if (!hasNvrtc())
    GTEST_SKIP() << "no NVRTC (libnvrtc.so.13)";
  const std::vector<Wanted> list = wanted();
  std::atomic<size_t> next{0};
  std::mutex mutex;
  auto work = [&] {
    for (size_t i; (i = next++) < list.size();) {
      const Wanted &w = list[i];
      const DType dtype = w.arch == "sm_75" ? DType::F16 : DType::BF16;
      const KernelFile file = kernelFile(*w.mask, {Phase::Forward, dtype, w.headDim, 8, w.arch});
      const Result<DeviceProgram> program = compileDevice(file.source, w.arch);
      std::lock_guard lock(mutex);
      const std::string what = fmt::format("{} mask {} head dim {}", w.arch, w.mask->name, w.headDim);
      if (!program) {
        ADD_FAILURE() << what << ": " << program.error().message;
        continue;
      }
      EXPECT_EQ(program->kernels.size(), file.hasSm90 ? 8u : 7u) << what;
      for (const auto &[name, kernel] : program->kernels) {
        EXPECT_GT(kernel.registers, 0) << what << " " << name;
        EXPECT_LE(kernel.registers, 255) << what << " " << name;
        EXPECT_LE(kernel.spillBytes, spillLimit(w.headDim)) << what << " " << name;
      }
      for (const Schedule *schedule : {&file.forward, &file.decode, &file.dq, &file.dkdv})
        EXPECT_LE(schedule->sharedBytes, sharedLimit(w.arch)) << what << " " << schedule->type;
      fmt::print("{:6} {:10} d{:<3} {:5.0f} ms", w.arch, w.mask->name, w.headDim, program->milliseconds);
      for (const char *name : {"forward", "decode", "dq", "dkdv"})
        fmt::print("  {} {} registers, {} spilled", name, program->kernels.at(name).registers,
                   program->kernels.at(name).spillBytes);
      fmt::print("\n");
    }
  };
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < std::max(1u, std::thread::hardware_concurrency()); ++t)
    threads.emplace_back(work);
  for (std::thread &thread : threads)
    thread.join();
}

TEST(Schedules, RefuseWhatHasNoKernel) {
  auto message = [](KernelSpec spec) {
    const Result<Schedule> schedule = forwardSchedule(spec);
    return schedule ? "accepted: " + schedule->type : schedule.error().message;
  };
  EXPECT_THAT(message({Phase::Forward, DType::BF16, 64, 8, "sm_75"}),
              HasSubstr("sm_75 has no bf16 tensor cores; convert q, k and v to fp16"));
  EXPECT_THAT(message({Phase::Forward, DType::F32, 64, 8, "sm_80"}), HasSubstr("takes fp16 or bf16, got fp32"));
  EXPECT_THAT(message({Phase::Forward, DType::F16, 80, 8, "sm_80"}),
              HasSubstr("head dim 80 is not supported; pad it with zeros to the next of 32, 64, 96, 128, 256"));
  EXPECT_THAT(message({Phase::Forward, DType::F16, 64, 8, "sm_70"}),
              HasSubstr("no kernels for architecture 'sm_70'; there are kernels for sm_75, sm_80"));
}

} // namespace
} // namespace maskjit::test
