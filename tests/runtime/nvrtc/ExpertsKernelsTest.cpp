// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of experts through NVRTC for every architecture: they compile, without spills, and fit.
#include "runtime/cache/KernelCache.h"
#include "runtime/experts/Experts.h"
#include <gmock/gmock.h>
#include <thread>

using namespace maskjit;
using testing::ElementsAre;
using testing::HasSubstr;

static ExpertsSpec spec(const std::string &arch, int rows = 0, int hidden = 2880, int intermediate = 2880) {
  ExpertsSpec spec;
  spec.hidden = hidden;
  spec.intermediate = intermediate;
  spec.rows = rows;
  spec.dtype = arch == "sm_75" ? DType::F16 : DType::BF16;
  spec.arch = arch;
  return spec;
}

TEST(ExpertsClasses, FollowTheTokensOfAnExpert) {
  auto rows = [](const char *arch, int64_t tokens) { return *expertsRows(spec(arch), tokens, 32); };
  EXPECT_EQ(rows("sm_90a", 1), 4);
  EXPECT_EQ(rows("sm_90a", 5), 8);
  EXPECT_EQ(rows("sm_90a", 9), 12);
  EXPECT_EQ(rows("sm_90a", 100), 24);
  EXPECT_EQ(rows("sm_90a", 256), 48);
  EXPECT_EQ(rows("sm_90a", 512), 96);
  EXPECT_EQ(rows("sm_90a", 1024), 144);
  EXPECT_EQ(rows("sm_90a", 4096), 192) << "three tiles hold 512 tokens and their spread";
  EXPECT_EQ(rows("sm_80", 1), 16);
  EXPECT_EQ(rows("sm_80", 100000), 64);
}

TEST(ExpertsClasses, AreWhatTheSizesAllow) {
  EXPECT_THAT(expertsRowClasses(spec("sm_90a")), ElementsAre(4, 8, 12, 24, 48, 96, 144, 192));
  EXPECT_THAT(expertsRowClasses(spec("sm_90a", 0, 128, 64)), ElementsAre(4, 8, 16, 32, 64))
      << "no turn of the ring fits";
  EXPECT_THAT(expertsRowClasses(spec("sm_90a", 0, 128, 32)), ElementsAre(16, 32, 64)) << "8 rows of scales are 8 bytes";
  EXPECT_THAT(expertsRowClasses(spec("sm_75")), ElementsAre(16, 32, 64));
}

TEST(ExpertsClasses, OfAGradientAreOneOnHopper) {
  ExpertsSpec gradient = spec("sm_90a", 0, 2880, 5760);
  gradient.kind = ExpertsKind::Gradient;
  EXPECT_THAT(expertsRowClasses(gradient), ElementsAre(176));
  EXPECT_EQ(*expertsRows(gradient, 1, 32), 176) << "narrower products are in the same kernel";
  gradient.dtype = DType::F16;
  EXPECT_THAT(expertsRowClasses(gradient), ElementsAre(32, 64)) << "wgmma's is made for bf16";
  gradient.dtype = DType::BF16, gradient.hidden = 2848;
  EXPECT_THAT(expertsRowClasses(gradient), ElementsAre(32, 64)) << "scales are read two at a time";
}

TEST(ExpertsClasses, SixteenBitWeightsAndNf4HaveOneClass) {
  ExpertsSpec dense = spec("sm_80");
  dense.format = WeightFormat::Dense;
  EXPECT_THAT(expertsRowClasses(dense), ElementsAre(8));
  EXPECT_EQ(*expertsRows(dense, 1000, 32), 8) << "in groups";
  dense.expertsPerToken = 8;
  EXPECT_EQ(*expertsRows(dense, 8, 32), 4) << "a warp holds the pairs of a launch";
  dense.format = WeightFormat::Nf4;
  EXPECT_EQ(*expertsRows(dense, 1000, 32), 4);
  dense.kind = ExpertsKind::Linear;
  EXPECT_THAT(expertsRows(dense, 8, 32).error().message, HasSubstr("none of a single product"));
}

TEST(ExpertsClasses, RefuseWhatHasNoKernel) {
  EXPECT_THAT(emitCuda(spec("sm_90a", 5)).error().message, HasSubstr("no kernel of class 5"));
  EXPECT_THAT(emitCuda(spec("sm_90a", 16, 100)).error().message, HasSubstr("multiples of 32, got hidden 100"));
  EXPECT_THAT(emitCuda(spec("sm_70", 16)).error().message, HasSubstr("no kernels for architecture 'sm_70'"));
  ExpertsSpec turing = spec("sm_75", 16);
  turing.dtype = DType::BF16;
  EXPECT_THAT(emitCuda(turing).error().message, HasSubstr("convert the activations to fp16"));
}

TEST(ExpertsKey, IsTheStructure) {
  const std::string key = *cudaKey(spec("sm_90a", 24));
  EXPECT_EQ(emitCuda(spec("sm_90a", 24))->key, key);
  EXPECT_NE(*cudaKey(spec("sm_90a", 48)), key);
  EXPECT_NE(*cudaKey(spec("sm_80", 16)), key);
  EXPECT_NE(*cudaKey(spec("sm_90a", 24, 2880, 960)), key);
}

TEST(ExpertsKernels, CompileForEveryArchitecture) {
  if (!Nvrtc::load())
    GTEST_SKIP() << Nvrtc::load().error().message;
  std::vector<ExpertsSpec> jobs;
  for (const std::string &arch : architectures())
    for (int rows : expertsRowClasses(spec(arch)))
      if (arch == "sm_75" || arch == "sm_80" || arch == "sm_90a" || rows == 64) // the others share sm_80's schedules
        jobs.push_back(spec(arch, rows));
  for (int rows : {4, 8, 16})
    jobs.push_back(spec("sm_90a", rows, 128, 64)); // a small model's
  for (const char *arch : {"sm_75", "sm_80", "sm_90a"})
    for (ExpertsKind kind : {ExpertsKind::Linear, ExpertsKind::Gradient}) {
      jobs.push_back(spec(arch, 0, 2880, 5760));
      jobs.back().kind = kind;
      jobs.back().rows = expertsRowClasses(jobs.back()).back();
    }
  jobs.push_back(spec("sm_80", 32, 160, 96)); // halves of a stage
  jobs.push_back(spec("sm_90a", 176, 192, 160));
  jobs.back().kind = ExpertsKind::Gradient;
  for (const std::string &arch : architectures())
    for (WeightFormat format : {WeightFormat::Dense, WeightFormat::Nf4}) {
      jobs.push_back(spec(arch, 8));
      jobs.back().format = format;
    }
  jobs.push_back(spec("sm_80", 8, 128, 64));
  jobs.back().format = WeightFormat::Nf4;

  std::vector<Result<KernelImagePtr>> kernels(jobs.size(), Error{"not compiled"});
  auto work = [&](size_t first) {
    for (size_t i = first; i < jobs.size(); i += 2)
      kernels[i] = compileKernel(expertsRequest(jobs[i]));
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  for (size_t i = 0; i < jobs.size(); ++i) {
    SCOPED_TRACE(jobs[i].arch + " class " + std::to_string(jobs[i].rows));
    ASSERT_TRUE(kernels[i]) << kernels[i].error().message;
    const KernelImage &kernel = **kernels[i];
    ASSERT_EQ(kernel.resources.size(), kernel.entries.size());
    for (size_t k = 0; k < kernel.entries.size(); ++k) {
      const CudaKernel::Entry &entry = kernel.entries[k];
      const KernelResources &used = kernel.resources[k];
      // Bytes a thread, outside the loops; an adapter's slices are added once a tile, between them.
      const bool adapted = entry.name.find("_adapter") != std::string::npos;
      EXPECT_LE(used.spillStores + used.spillLoads, adapted ? 320 : 32) << entry.name;
      EXPECT_LE(used.registers * entry.threads, 65536) << entry.name;
      // What a block may have: CUDA C++ Programming Guide, technical specifications by compute capability.
      const std::string &arch = jobs[i].arch;
      const int limit = arch == "sm_75"                                          ? 64
                        : arch == "sm_80"                                        ? 163
                        : arch == "sm_86" || arch == "sm_89" || arch == "sm_120" ? 99
                                                                                 : 227;
      EXPECT_LE(used.sharedBytes + entry.sharedBytes, limit * 1024) << entry.name;
    }
  }
}
