// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of NF4 linear layers through NVRTC for every architecture: they compile, without spills, and fit.
#include "compiler/device/LinearNf4Table.h"
#include "runtime/linear/LinearNf4.h"
#include <gmock/gmock.h>

using namespace maskjit;
using testing::ElementsAre;
using testing::HasSubstr;

static LinearNf4Spec spec(const std::string &arch, int rows = 0, int in = 2880, bool nested = true,
                          int features = 5120) {
  LinearNf4Spec spec;
  spec.in = in;
  spec.features = features;
  spec.rows = rows;
  spec.nested = nested;
  spec.dtype = arch == "sm_75" ? DType::F16 : DType::BF16;
  spec.arch = arch;
  return spec;
}

static LinearNf4Spec gradient(const std::string &arch, int rows = 0, int in = 2880, bool nested = true,
                              int features = 5120) {
  LinearNf4Spec made = spec(arch, rows, in, nested, features);
  made.gradient = true;
  return made;
}

TEST(LinearNf4Classes, FollowTheRows) {
  EXPECT_THAT(linearNf4RowClasses(spec("sm_90a")), ElementsAre(8, 16, 32, 48, 64, 80, 112, 144, 176, 192));
  EXPECT_THAT(linearNf4RowClasses(gradient("sm_90a")), ElementsAre(48, 80, 112, 144, 176, 192));
  EXPECT_THAT(linearNf4RowClasses(spec("sm_75")), ElementsAre(8, 16, 32));
  EXPECT_EQ(*linearNf4Rows(spec("sm_90a"), 1), 8);
  EXPECT_EQ(*linearNf4Rows(spec("sm_90a"), 9), 16);
  EXPECT_EQ(*linearNf4Rows(spec("sm_90a"), 32), 32);
  EXPECT_EQ(*linearNf4Rows(spec("sm_90a"), 33), 64);
  EXPECT_EQ(*linearNf4Rows(spec("sm_80"), 4096), 32);
}

// The more blocks the features give, the larger the tiles of rows: one wave of blocks, where there is one.
TEST(LinearNf4Classes, OfManyRowsFollowTheFeaturesToo) {
  const int blocks5120 = 40, blocks2880 = 24;
  for (const int rows : {65, 100, 200, 300, 512}) {
    SCOPED_TRACE(rows);
    const int wide = *linearNf4Rows(spec("sm_90a"), rows);
    EXPECT_LE((rows + wide - 1) / wide * blocks5120, 132);
    const int narrow = *linearNf4Rows(spec("sm_90a", 0, 4096, true, 2880), rows);
    EXPECT_LE((rows + narrow - 1) / narrow * blocks2880, 132);
    EXPECT_LE(narrow, wide);
  }
}

TEST(LinearNf4Classes, RefuseWhatHasNoKernel) {
  EXPECT_THAT(emitCuda(spec("sm_90a", 5)).error().message, HasSubstr("no NF4 linear kernel of class 5"));
  EXPECT_THAT(emitCuda(spec("sm_90a", 8, 100)).error().message, HasSubstr("multiples of 64, got 100"));
  EXPECT_THAT(emitCuda(gradient("sm_80", 48)).error().message, HasSubstr("bf16 on sm_90a, not for bf16 on sm_80"));
  EXPECT_THAT(emitCuda(spec("sm_70", 8)).error().message, HasSubstr("no kernels for architecture 'sm_70'"));
  LinearNf4Spec turing = spec("sm_75", 8);
  turing.dtype = DType::BF16;
  EXPECT_THAT(emitCuda(turing).error().message, HasSubstr("convert the activations to fp16"));
}

// Clusters of four blocks: 33 of them would fit 132 multiprocessors if those came in fours.
TEST(LinearNf4Schedules, FillTheCardOnce) {
  for (const auto &[in, features] : {std::pair(2880, 5120), std::pair(4096, 2880), std::pair(2880, 4096)}) {
    SCOPED_TRACE(std::to_string(in) + " -> " + std::to_string(features));
    for (const int rows : {32, 64}) {
      const LinearNf4Schedule schedule = *linearNf4Schedule(spec("sm_90a", rows, in, true, features));
      EXPECT_EQ(schedule.kernel, "linear_nf4_split");
      const int blocks = (features + schedule.tileFeatures - 1) / schedule.tileFeatures * schedule.cluster;
      EXPECT_LE(blocks, 132);
      EXPECT_GE(blocks, 88); // two thirds
    }
  }
}

TEST(LinearNf4Schedules, OfFewFeaturesTakeTheSmallestTile) {
  EXPECT_EQ(linearNf4Schedule(spec("sm_90a", 32, 64, true, 8))->cluster, 1); // one block of input features
  EXPECT_EQ(linearNf4Schedule(spec("sm_90a", 32, 64, true, 8))->tileFeatures, 48);
  EXPECT_EQ(linearNf4Schedule(spec("sm_90a", 64, 64, true, 8))->tileFeatures, 32);
}

TEST(LinearNf4Key, IsTheStructure) {
  const std::string key = *cudaKey(spec("sm_90a", 8));
  EXPECT_EQ(emitCuda(spec("sm_90a", 8))->key, key);
  EXPECT_NE(*cudaKey(spec("sm_90a", 16)), key);
  EXPECT_NE(*cudaKey(spec("sm_90a", 8, 4096)), key);
  EXPECT_NE(*cudaKey(spec("sm_90a", 8, 2880, false)), key);
  EXPECT_NE(*cudaKey(spec("sm_80", 8)), key);
  EXPECT_NE(*cudaKey(gradient("sm_90a", 48)), *cudaKey(spec("sm_90a", 48)));
  EXPECT_EQ(*cudaKey(spec("sm_90a", 48, 2880, true, 4096)), *cudaKey(spec("sm_90a", 48))); // features are of the launch
}

TEST(LinearNf4Kernels, CompileForEveryArchitecture) {
  if (!Nvrtc::load())
    GTEST_SKIP() << Nvrtc::load().error().message;
  std::vector<LinearNf4Spec> jobs;
  for (const std::string &arch : architectures())
    for (int rows : linearNf4RowClasses(spec(arch)))
      if (arch == "sm_75" || arch == "sm_80" || arch == "sm_90a" || rows == 8) // the others share sm_80's schedules
        jobs.push_back(spec(arch, rows));
  for (const bool nested : {false, true})
    for (const int rows : {8, 32, 64})
      jobs.push_back(spec("sm_90a", rows, 4096, nested, 2880));
  jobs.push_back(spec("sm_90a", 32, 2880, false));
  jobs.push_back(spec("sm_90a", 32, 64, true, 8));
  jobs.push_back(spec("sm_90a", 32));
  jobs.back().dtype = DType::F16;
  for (const int rows : linearNf4RowClasses(gradient("sm_90a")))
    jobs.push_back(gradient("sm_90a", rows, 2880, rows != 48));
  jobs.push_back(spec("sm_80", 16, 64)); // one block of input features
  for (const LinearNf4Spec &job : jobs) {
    SCOPED_TRACE(job.arch + " class " + std::to_string(job.rows));
    const Result<KernelImagePtr> image = compileKernel(linearNf4Request(job));
    ASSERT_TRUE(image) << image.error().message;
    const KernelImage &kernel = **image;
    ASSERT_EQ(kernel.resources.size(), 1u);
    const CudaKernel::Entry &entry = kernel.entries[0];
    EXPECT_EQ(kernel.resources[0].spillStores + kernel.resources[0].spillLoads, 0);
    EXPECT_LE(kernel.resources[0].registers * entry.threads, 65536);
    // What a block may have: CUDA C++ Programming Guide, technical specifications by compute capability.
    const int limit = job.arch == "sm_75"                                                  ? 64
                      : job.arch == "sm_80"                                                ? 163
                      : job.arch == "sm_86" || job.arch == "sm_89" || job.arch == "sm_120" ? 99
                                                                                           : 227;
    EXPECT_LE(kernel.resources[0].sharedBytes + entry.sharedBytes, limit * 1024);
  }
}
