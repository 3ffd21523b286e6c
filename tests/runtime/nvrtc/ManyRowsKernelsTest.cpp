// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Norms and rope of many rows: what has no kernel says so, and the rest compiles for every architecture.
#include "runtime/rows/ManyRows.h"
#include <gmock/gmock.h>

using namespace maskjit;
using testing::HasSubstr;

static ManyRowsSpec spec(ManyRowsKind kind, int size, const std::string &arch) {
  return {kind, size, arch == "sm_75" ? DType::F16 : DType::BF16, arch};
}

TEST(ManyRows, RefuseWhatHasNoKernel) {
  EXPECT_THAT(cudaKey(spec(ManyRowsKind::ResidualNorm, 2882, "sm_90a")).error().message,
              HasSubstr("up to 8192 features in multiples of 4, got 2882"));
  EXPECT_THAT(emitCuda(spec(ManyRowsKind::Turn, 40, "sm_90a")).error().message, HasSubstr("multiples of 16, got 40"));
  ManyRowsSpec turing = spec(ManyRowsKind::Turn, 64, "sm_75");
  turing.dtype = DType::BF16;
  EXPECT_THAT(emitCuda(turing).error().message, HasSubstr("use fp16"));
  EXPECT_FALSE(residualNormServes(10000));
  EXPECT_FALSE(turnServes(40));
}

TEST(ManyRows, KeyIsTheStructure) {
  const std::string key = *cudaKey(spec(ManyRowsKind::Turn, 64, "sm_90a"));
  EXPECT_EQ(emitCuda(spec(ManyRowsKind::Turn, 64, "sm_90a"))->key, key);
  EXPECT_NE(*cudaKey(spec(ManyRowsKind::ResidualNorm, 64, "sm_90a")), key);
  EXPECT_NE(*cudaKey(spec(ManyRowsKind::Turn, 128, "sm_90a")), key);
  EXPECT_NE(*cudaKey(spec(ManyRowsKind::Turn, 64, "sm_80")), key);
}

TEST(ManyRows, CompileForEveryArchitecture) {
  if (!Nvrtc::load())
    GTEST_SKIP() << Nvrtc::load().error().message;
  std::vector<ManyRowsSpec> jobs;
  for (const std::string &arch : architectures())
    for (const auto &[kind, size] : {std::pair(ManyRowsKind::ResidualNorm, 2880), {ManyRowsKind::Turn, 64}})
      jobs.push_back(spec(kind, size, arch));
  for (int features : {4, 128, 8192}) // the smallest, the fixtures', the largest
    jobs.push_back(spec(ManyRowsKind::ResidualNorm, features, "sm_90a"));
  for (int head : {16, 96, 256})
    jobs.push_back(spec(ManyRowsKind::Turn, head, "sm_90a"));
  for (const ManyRowsSpec &job : jobs) {
    SCOPED_TRACE(job.arch + " " + std::to_string(job.size));
    const Result<KernelImagePtr> image = compileKernel(manyRowsRequest(job));
    ASSERT_TRUE(image) << image.error().message;
    ASSERT_EQ((*image)->resources.size(), 1u);
    if (job.size == 2880 || job.size == 64) // gpt-oss's
      EXPECT_EQ((*image)->resources[0].spillStores + (*image)->resources[0].spillLoads, 0);
  }
}
