// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Generated kernels through NVRTC, for architectures whether or not this machine has them.
#include "runtime/cache/CompileAhead.h"
#include "runtime/cache/CompileCounter.h"
#include "runtime/cache/KernelCache.h"
#include <gmock/gmock.h>
#include <thread>
#include <unistd.h>

using namespace maskjit;
using testing::HasSubstr;

static Mask shipped(const std::string &name) {
  Result<Mask> mask = Mask::find(name);
  if (!mask)
    throw std::runtime_error(mask.error().message);
  Result<Mask> folded = mask->specialize({});
  if (!folded)
    throw std::runtime_error(folded.error().message);
  return *folded;
}

static KernelSpec spec(Phase phase, const std::string &arch, int headDim = 64, int group = 8) {
  KernelSpec spec;
  spec.phase = phase;
  spec.dtype = arch == "sm_75" ? DType::F16 : DType::BF16;
  spec.headDim = headDim;
  spec.headsPerKeyHead = group;
  spec.arch = arch;
  return spec;
}

/// Compiles on two threads; `check` sees each kernel with its job.
template <class Check> static void compileAll(const std::vector<std::pair<Mask, KernelSpec>> &jobs, Check check) {
  std::vector<Result<KernelImagePtr>> kernels(jobs.size(), Error{"not compiled"});
  auto work = [&](size_t first) {
    for (size_t i = first; i < jobs.size(); i += 2)
      kernels[i] = compileKernel(jobs[i].first, jobs[i].second);
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  for (size_t i = 0; i < jobs.size(); ++i) {
    SCOPED_TRACE(jobs[i].first.name() + " " + jobs[i].second.arch + " phase " +
                 std::to_string(static_cast<int>(jobs[i].second.phase)));
    ASSERT_TRUE(kernels[i]) << kernels[i].error().message;
    check(**kernels[i], jobs[i].second);
  }
}

class Kernels : public testing::Test {
protected:
  void SetUp() override {
    if (!Nvrtc::load())
      GTEST_SKIP() << Nvrtc::load().error().message;
  }
};

TEST_F(Kernels, CompileForEveryArchitectureAndPhase) {
  std::vector<std::pair<Mask, KernelSpec>> jobs;
  for (const std::string &arch : architectures())
    for (Phase phase : kPhases)
      if (hasKernel(shipped("gpt_oss_sliding"), spec(phase, arch)))
        jobs.push_back({shipped("gpt_oss_sliding"), spec(phase, arch)});
  compileAll(jobs, [](const KernelImage &kernel, const KernelSpec &of) {
    ASSERT_EQ(kernel.resources.size(), kernel.entries.size());
    for (size_t i = 0; i < kernel.entries.size(); ++i) {
      const CudaKernel::Entry &entry = kernel.entries[i];
      const KernelResources &used = kernel.resources[i];
      EXPECT_LE(used.spillStores + used.spillLoads, 64) << entry.name; // bytes a thread, outside the loops
      EXPECT_LE(used.registers * entry.threads, 65536) << entry.name;  // of a multiprocessor
      EXPECT_GT(used.registers, 0) << entry.name;
      // What a block may have: CUDA C++ Programming Guide, technical specifications by compute capability.
      const int limit = of.arch == "sm_75"                                                ? 64
                        : of.arch == "sm_80"                                              ? 163
                        : of.arch == "sm_86" || of.arch == "sm_89" || of.arch == "sm_120" ? 99
                                                                                          : 227;
      EXPECT_LE(used.sharedBytes + entry.sharedBytes, limit * 1024) << entry.name;
    }
  });
}

TEST_F(Kernels, EveryShippedMaskCompiles) {
  std::vector<std::pair<Mask, KernelSpec>> jobs;
  for (const std::string &name : Mask::shipped()) {
    jobs.push_back({shipped(name), spec(Phase::Decode, "sm_90a")});
    if (jobs.back().first.hasScore()) { // the derivative of the score is needed too
      jobs.push_back({shipped(name), spec(Phase::BackwardDq, "sm_90a")});
      jobs.push_back({shipped(name), spec(Phase::BackwardDkDv, "sm_90a")});
    }
  }
  compileAll(jobs, [](const KernelImage &kernel, const KernelSpec &) { EXPECT_FALSE(kernel.image.empty()); });
}

TEST(Key, IsTheStructure) {
  const Mask window = shipped("sliding_window");
  const std::string key = *cudaKey(window, spec(Phase::Forward, "sm_90a"));
  EXPECT_EQ(emitCuda(window, spec(Phase::Forward, "sm_90a"))->key, key);
  EXPECT_NE(*cudaKey(window, spec(Phase::Decode, "sm_90a")), key);
  EXPECT_NE(*cudaKey(window, spec(Phase::Forward, "sm_80")), key);
  EXPECT_NE(*cudaKey(window, spec(Phase::Forward, "sm_90a", 128)), key);
  EXPECT_NE(*cudaKey(window, spec(Phase::Forward, "sm_90a", 64, 4)), key);
  EXPECT_NE(*cudaKey(shipped("causal"), spec(Phase::Forward, "sm_90a")), key);
}

TEST(Key, HoppersOwnForwardStandsApart) {
  const Mask window = shipped("sliding_window");
  EXPECT_TRUE(hasKernel(window, spec(Phase::ForwardSm90, "sm_90a")));
  EXPECT_TRUE(hasKernel(window, spec(Phase::ForwardSm90, "sm_90a", 128)));
  EXPECT_FALSE(hasKernel(window, spec(Phase::ForwardSm90, "sm_90a", 96)));
  EXPECT_FALSE(hasKernel(window, spec(Phase::ForwardSm90, "sm_100")));
  EXPECT_FALSE(hasKernel(shipped("alibi"), spec(Phase::ForwardSm90, "sm_90a")));
  EXPECT_NE(*cudaKey(window, spec(Phase::ForwardSm90, "sm_90a")), *cudaKey(window, spec(Phase::Forward, "sm_90a")));
}

TEST(Key, DoesNotKnowNamesAndRunTimeValues) {
  const KernelSpec of = spec(Phase::Forward, "sm_90a");
  auto keyOf = [&](const char *text) { return *cudaKey(*Mask::parse(text, "m.mask"), of); };
  const std::string key = keyOf("mask a(q, k; w: int 1..100 = 5) = 0 <= q - k < w");
  EXPECT_EQ(keyOf("mask b(q, k; v: int 1..100 = 7) = 0 <= q - k < v"), key) << "another name and default";
  EXPECT_NE(keyOf("mask a(q, k; w: int 1..100 = 5) = 0 <= q - k <= w"), key);
  // What is static is structure; what is not stays a value.
  const Mask fixed = *Mask::parse("mask a(q, k; static w: int 1..100 = 5) = 0 <= q - k < w", "m.mask");
  EXPECT_NE(*cudaKey(*fixed.specialize({{"w", 6}}), of), *cudaKey(*fixed.specialize({{"w", 7}}), of));
}

TEST(Key, RefusesWhatHasNoKernel) {
  const Mask mask = shipped("causal");
  KernelSpec turing = spec(Phase::Forward, "sm_75");
  turing.dtype = DType::BF16;
  EXPECT_THAT(cudaKey(mask, turing).error().message, HasSubstr("convert q, k and v to fp16"));
  EXPECT_THAT(cudaKey(mask, spec(Phase::Forward, "sm_70")).error().message,
              HasSubstr("no kernels for architecture 'sm_70'"));
  EXPECT_THAT(cudaKey(mask, spec(Phase::Forward, "sm_90a", 80)).error().message, HasSubstr("head dim 80"));
  EXPECT_THAT(cudaKey(mask, spec(Phase::ForwardSm90, "sm_80")).error().message, HasSubstr("use forward"));
  EXPECT_THAT(cudaKey(shipped("softcap"), spec(Phase::ForwardSm90, "sm_90a")).error().message,
              HasSubstr("mask softcap has a score clause"));
}

class KernelCacheTest : public Kernels {
protected:
  std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("maskjit-kernels-" + std::to_string(getpid()));
  void TearDown() override { std::filesystem::remove_all(folder); }
};

TEST_F(KernelCacheTest, CompilesOnceThenReadsMemoryThenDisk) {
  const Mask mask = shipped("causal");
  const KernelSpec of = spec(Phase::Decode, "sm_80");
  KernelCache cache{DiskCache(folder)};
  const int64_t before = compilations();
  const Result<KernelImagePtr> first = cache.get(mask, of);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(compilations(), before + 1);
  EXPECT_EQ(*cache.get(mask, of), *first) << "the same object";

  KernelCache second{DiskCache(folder)}; // as another process
  EXPECT_TRUE(second.isOnDisk(mask, of));
  const Result<KernelImagePtr> read = second.get(mask, of);
  ASSERT_TRUE(read);
  EXPECT_EQ(compilations(), before + 1);
  EXPECT_EQ((*read)->image, (*first)->image);
  EXPECT_EQ((*read)->entries[1].name, "causal_decode_merge");
  EXPECT_EQ((*read)->entries[0].sharedBytes, (*first)->entries[0].sharedBytes);

  // A corrupt entry is built again.
  for (const auto &file : std::filesystem::directory_iterator(folder))
    std::filesystem::resize_file(file.path(), std::filesystem::file_size(file.path()) - 1);
  KernelCache third{DiskCache(folder)};
  ASSERT_TRUE(third.get(mask, of));
  EXPECT_EQ(compilations(), before + 2);
  EXPECT_TRUE(third.isOnDisk(mask, of));
}

TEST_F(KernelCacheTest, ThreadsThatAskTogetherCompileOnce) {
  const Mask mask = shipped("causal");
  KernelCache cache{DiskCache(folder)};
  const int64_t before = compilations();
  std::vector<std::thread> threads;
  std::atomic<int> got{0};
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] { got += static_cast<bool>(cache.get(mask, spec(Phase::Decode, "sm_80", 32))); });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(got, 8);
  EXPECT_EQ(compilations(), before + 1);
}

TEST_F(KernelCacheTest, AKernelThatCannotBeKeptIsUsedAllTheSame) {
  KernelCache cache{DiskCache("/proc/maskjit")};
  EXPECT_TRUE(cache.get(shipped("causal"), spec(Phase::Decode, "sm_80")));
  EXPECT_THAT(cache.storeFailure(), HasSubstr("/proc/maskjit"));
}

TEST_F(KernelCacheTest, KernelsCompiledAheadAreFoundLater) {
  KernelCache cache{DiskCache(folder)};
  const int64_t before = compilations();
  const KernelSpec of = spec(Phase::Decode, "sm_80", 32), refused = spec(Phase::Decode, "sm_80", 80);
  CompileAhead ahead({{shipped("causal"), refused}, {shipped("causal"), of}, {shipped("chunked"), of}}, 2, cache);
  ASSERT_TRUE(cache.get(shipped("chunked"), of)); // waits for it, or makes it first
  ahead.wait();
  EXPECT_EQ(compilations(), before + 2);
  ASSERT_TRUE(cache.get(shipped("causal"), of));
  EXPECT_EQ(compilations(), before + 2);
  EXPECT_THAT(cache.get(shipped("causal"), refused).error().message, HasSubstr("head dim 80"));
}

TEST_F(KernelCacheTest, CompilingAheadStopsWithItsOwner) {
  KernelCache cache{DiskCache(folder)};
  std::vector<CompileAhead::Job> jobs;
  for (const std::string &name : Mask::shipped())
    jobs.push_back({shipped(name), spec(Phase::Decode, "sm_80", 32)});
  const int64_t before = compilations();
  {
    const CompileAhead ahead(jobs, 1, cache);
  }
  EXPECT_LE(compilations(), before + 1); // the one that had begun
}
