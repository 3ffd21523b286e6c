// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of NF4 linear layers through NVRTC for every architecture: they compile, without spills, and fit.
#include "runtime/linear/LinearNf4.h"
#include <gmock/gmock.h>

using namespace maskjit;
using testing::ElementsAre;
using testing::HasSubstr;

static LinearNf4Spec spec(const std::string &arch, int rows = 0, int in = 2880, bool nested = true) {
  LinearNf4Spec spec;
  spec.in = in;
  spec.rows = rows;
  spec.nested = nested;
  spec.dtype = arch == "sm_75" ? DType::F16 : DType::BF16;
  spec.arch = arch;
  return spec;
}

TEST(LinearNf4Classes, FollowTheRows) {
  EXPECT_THAT(linearNf4RowClasses(spec("sm_90a")), ElementsAre(8, 16, 32, 96, 176));
  EXPECT_THAT(linearNf4RowClasses(spec("sm_75")), ElementsAre(8, 16, 32));
  EXPECT_EQ(*linearNf4Rows(spec("sm_90a"), 1), 8);
  EXPECT_EQ(*linearNf4Rows(spec("sm_90a"), 9), 16);
  EXPECT_EQ(*linearNf4Rows(spec("sm_90a"), 4096), 176);
  EXPECT_EQ(*linearNf4Rows(spec("sm_80"), 4096), 32);
}

TEST(LinearNf4Classes, RefuseWhatHasNoKernel) {
  EXPECT_THAT(emitCuda(spec("sm_90a", 5)).error().message, HasSubstr("no NF4 linear kernel of class 5"));
  EXPECT_THAT(emitCuda(spec("sm_90a", 8, 100)).error().message, HasSubstr("multiples of 64, got 100"));
  EXPECT_THAT(emitCuda(spec("sm_70", 8)).error().message, HasSubstr("no kernels for architecture 'sm_70'"));
  LinearNf4Spec turing = spec("sm_75", 8);
  turing.dtype = DType::BF16;
  EXPECT_THAT(emitCuda(turing).error().message, HasSubstr("convert the activations to fp16"));
}

TEST(LinearNf4Key, IsTheStructure) {
  const std::string key = *cudaKey(spec("sm_90a", 8));
  EXPECT_EQ(emitCuda(spec("sm_90a", 8))->key, key);
  EXPECT_NE(*cudaKey(spec("sm_90a", 16)), key);
  EXPECT_NE(*cudaKey(spec("sm_90a", 8, 4096)), key);
  EXPECT_NE(*cudaKey(spec("sm_90a", 8, 2880, false)), key);
  EXPECT_NE(*cudaKey(spec("sm_80", 8)), key);
}

TEST(LinearNf4Kernels, CompileForEveryArchitecture) {
  if (!Nvrtc::load())
    GTEST_SKIP() << Nvrtc::load().error().message;
  std::vector<LinearNf4Spec> jobs;
  for (const std::string &arch : architectures())
    for (int rows : linearNf4RowClasses(spec(arch)))
      if (arch == "sm_75" || arch == "sm_80" || arch == "sm_90a" || rows == 8) // the others share sm_80's schedules
        jobs.push_back(spec(arch, rows));
  jobs.push_back(spec("sm_90a", 8, 4096, false));
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
