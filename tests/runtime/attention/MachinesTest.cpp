// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The same kernels for other machines than the one at hand.
#include "tests/runtime/attention/KernelRun.h"
#include <gtest/gtest.h>

namespace maskjit::test {
namespace {

class Machines : public testing::TestWithParam<std::tuple<const char *, DType>> {};

TEST_P(Machines, AgreeWithTheReference) {
  const auto [machine, dtype] = GetParam();
  if (std::string(machine) == "x86-64-v3" && !__builtin_cpu_supports("avx2"))
    GTEST_SKIP() << "this machine has no AVX2";
  auto mask = Mask::find("gpt_oss_sliding");
  ASSERT_TRUE(mask) << mask.error().message;
  AttentionCase c(*mask, dtype, 1, 6, 2, 77, 77, 96);
  c.fillNormal(21);
  c.setParam("window", std::vector<int32_t>{50});
  const auto got = runKernels(c, mask->ir(true), {machine, ""});
  const Gradients want = c.reference();
  const double bound = dtype == DType::F32 ? 4e-6 : 0.02; // of the norm: outputs are rounded to 8 bits
  EXPECT_LE(relativeNorm(got[0], want.out), bound);
  EXPECT_LE(worstError(got[1], want.lse), 2e-6);
  EXPECT_LE(relativeNorm(got[2], want.dq), bound);
  EXPECT_LE(relativeNorm(got[3], want.dk), bound);
  EXPECT_LE(relativeNorm(got[4], want.dv), bound);
}

#ifdef __x86_64__
INSTANTIATE_TEST_SUITE_P(Cpu, Machines,
                         testing::Combine(testing::Values("x86-64", "x86-64-v3"),
                                          testing::Values(DType::F32, DType::BF16, DType::F16)));
#else
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Machines);
#endif

} // namespace
} // namespace maskjit::test
