// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// NVRTC as it is found at run time, and its log.
#include "runtime/nvrtc/Nvrtc.h"
#include <gmock/gmock.h>

using namespace maskjit;
using testing::HasSubstr;

TEST(PtxasLog, ReadsEachEntryAndSkipsFunctionsThatWereNotInlined) {
  const auto kernels = parsePtxasLog("ptxas info    : 0 bytes gmem\n"
                                     "ptxas info    : Compiling entry function 'fwd' for 'sm_90a'\n"
                                     "ptxas info    : Function properties for helper\n"
                                     "    96 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads\n"
                                     "ptxas info    : Function properties for fwd\n"
                                     "    16 bytes stack frame, 12 bytes spill stores, 20 bytes spill loads\n"
                                     "ptxas info    : Used 168 registers, used 4 barriers, 1040 bytes smem\n"
                                     "ptxas info    : Compiling entry function 'merge' for 'sm_90a'\n"
                                     "ptxas info    : Function properties for merge\n"
                                     "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
                                     "ptxas info    : Used 24 registers, used 0 barriers\n");
  ASSERT_EQ(kernels.size(), 2u);
  EXPECT_EQ(kernels[0].entry, "fwd");
  EXPECT_EQ(kernels[0].registers, 168);
  EXPECT_EQ(kernels[0].stackBytes, 16);
  EXPECT_EQ(kernels[0].spillStores, 12);
  EXPECT_EQ(kernels[0].spillLoads, 20);
  EXPECT_EQ(kernels[0].sharedBytes, 1040);
  EXPECT_EQ(kernels[1].entry, "merge");
  EXPECT_EQ(kernels[1].registers, 24);
  EXPECT_EQ(kernels[1].spillStores, 0);
}

TEST(PtxasLog, OfAnotherProgramHasNoKernel) { EXPECT_TRUE(parsePtxasLog("Used 5 registers\n").empty()); }

class NvrtcLoaded : public testing::Test {
protected:
  void SetUp() override {
    if (!Nvrtc::load())
      GTEST_SKIP() << Nvrtc::load().error().message;
  }
};

TEST_F(NvrtcLoaded, CompilesAgainstNamedHeadersAndReportsResources) {
  const std::vector<DeviceHeader> headers = {
      {"twice.cuh", "__device__ inline float twice(float x) { return 2 * x; }\n"}};
  const auto result =
      Nvrtc::load()->compile("#include \"twice.cuh\"\nextern \"C\" __global__ void k(float *p) { *p = twice(*p); }",
                             "k.cu", "sm_90a", headers, {"--std=c++17"});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->cubin.substr(0, 4), "\x7f"
                                        "ELF");
  EXPECT_THAT(result->ptx, HasSubstr(".target sm_90a"));
  ASSERT_EQ(result->resources.size(), 1u);
  EXPECT_EQ(result->resources[0].entry, "k");
  EXPECT_GT(result->resources[0].registers, 0);
}

TEST_F(NvrtcLoaded, SaysWhereTheSourceIsWrong) {
  const auto result = Nvrtc::load()->compile("int f() { return x; }", "wrong.cu", "sm_90a", {}, {});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("could not compile wrong.cu for sm_90a"));
  EXPECT_THAT(result.error().message, HasSubstr("identifier \"x\" is undefined"));
}

TEST_F(NvrtcLoaded, RefusesAnArchitectureThatItLacks) {
  const auto result = Nvrtc::load()->compile("", "k.cu", "sm_35", {}, {});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("has no sm_35; it has sm_75"));
}
