// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Each wrong argument of attention has its own message.
#include "runtime/cache/CompileCounter.h"
#include "tests/runtime/attention/AttentionCase.h"
#include <gmock/gmock.h>

namespace maskjit::test {
namespace {

using testing::HasSubstr;

struct CheckArgs : testing::Test {
  CheckArgs() : c(*Mask::find("gpt_oss_sliding"), DType::F32, 1, 4, 2, 8, 8, 64) { args = c.args(); }
  std::string message() { return attentionForwardCpu(c.mask, args).error().message; }
  AttentionCase c;
  AttentionArgs args;
};

TEST_F(CheckArgs, HeadDim) {
  args.headDim = 48;
  EXPECT_THAT(message(), HasSubstr("head dim must be 32, 64, 96, 128 or 256, got 48"));
}
TEST_F(CheckArgs, HeadsThatDoNotDivide) {
  args.headsKv = 3;
  EXPECT_THAT(message(), HasSubstr("query heads must be a multiple of key heads, got 4 and 3"));
}
TEST_F(CheckArgs, MissingTensor) {
  args.v.data = nullptr;
  EXPECT_THAT(message(), HasSubstr("v is missing"));
}
TEST_F(CheckArgs, PageSize) {
  int32_t table = 0;
  args.pages = {&table, 1, 24};
  EXPECT_THAT(message(), HasSubstr("the page size must be a power of two, got 24"));
}
TEST_F(CheckArgs, NumberOfParameters) {
  args.params.pop_back();
  EXPECT_THAT(message(), HasSubstr("has 4 parameters, got values of 3"));
}
TEST_F(CheckArgs, ValueOutOfRange) {
  const int32_t window = 0;
  args.params[0].data = &window;
  EXPECT_THAT(message(), HasSubstr("'window' of mask 'gpt_oss_sliding' must lie in 1..268435456, got 0"));
}
TEST_F(CheckArgs, UnsortedArray) {
  AttentionCase packed(*Mask::find("packed_documents"), DType::F32, 1, 1, 1, 4, 4, 32);
  packed.fillNormal(1);
  packed.setParam("documents", std::vector<int32_t>{0, 1, 0, 1});
  Result<void> done = attentionForwardCpu(packed.mask, packed.args());
  EXPECT_THAT(done.error().message,
              HasSubstr("'documents' of mask 'packed_documents' is declared sorted, but sequence 0 has 0 after 1"));
}

TEST(CompileCounter, OneKernelServesAllLengths) {
  AttentionCase first(*Mask::find("gpt_oss_full"), DType::F32, 1, 2, 1, 1, 1, 32);
  first.fillNormal(1);
  first.forward();
  const int64_t before = compilations();
  for (int64_t length = 1; length <= 1000; ++length) {
    AttentionCase step(first.mask, DType::F32, 1 + length % 3, 2, 1, 1, length, 32);
    step.setParam("q_offset", std::vector<int32_t>{int32_t(length - 1)});
    step.setParam("left_pad", std::vector<int32_t>{int32_t(length / 3)});
    step.forward();
  }
  EXPECT_EQ(compilations(), before);
}

} // namespace
} // namespace maskjit::test
