// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// maskjit::linear_nf4 on a GPU against the product with the dequantized matrix in fp64.
#include "GpuPresence.h"
#include "runtime/torch/LinearNf4.h"
#include <ATen/ATen.h>
#include <gmock/gmock.h>

using namespace maskjit;

namespace {

const at::Device kGpu(at::kCUDA, 0);

/// A matrix with random codes and scales, and its values.
struct Weight {
  at::Tensor codes, table, absmax, dense; // dense: rounded to `type`
  std::vector<at::Tensor> nested;

  Weight(int64_t features, int64_t in, bool isNested, at::ScalarType type) {
    const auto f = at::TensorOptions(kGpu).dtype(at::kFloat);
    const int64_t blocks = features * in / 64;
    codes = at::randint(256, {features * in / 2}, f.dtype(at::kByte));
    table = at::linspace(-1, 1, 16, f) + at::rand({16}, f) * 0.05;
    at::Tensor scales = at::rand({blocks}, f) * 0.05 + 0.01;
    absmax = scales;
    if (isNested) {
      absmax = at::randint(256, {blocks}, f.dtype(at::kByte));
      nested = {at::rand({256}, f), at::rand({(blocks + 255) / 256}, f) * 0.05, at::full({1}, 0.02, f)};
      const at::Tensor outer = nested[1].repeat_interleave(256).narrow(0, 0, blocks);
      scales = nested[0].index_select(0, absmax.to(at::kLong)) * outer + nested[2];
    }
    const at::Tensor each = at::stack({codes.bitwise_right_shift(4), codes.bitwise_and(15)}, 1).flatten().to(at::kLong);
    dense = (table.index_select(0, each) * scales.repeat_interleave(64)).view({features, in}).to(type);
  }
};

struct Case {
  int64_t rows, in, features;
};

template <class Base> class OnGpu : public Base {
protected:
  void SetUp() override {
    if (!test::gpuPresent())
      GTEST_SKIP() << "needs a gpu";
  }
};
using LinearNf4Gpu = OnGpu<testing::TestWithParam<std::tuple<Case, bool, at::ScalarType>>>;
using LinearNf4Refusals = OnGpu<testing::Test>;

TEST_P(LinearNf4Gpu, EqualsTheDequantizedProduct) {
  const auto &[size, nested, type] = GetParam();
  const Weight w(size.features, size.in, nested, type);
  const at::Tensor x = at::randn({size.rows, size.in}, at::TensorOptions(kGpu).dtype(at::kFloat)).to(type);
  const at::Tensor bias = at::randn({size.features}, at::TensorOptions(kGpu).dtype(at::kFloat)).to(type);
  const at::Tensor y = linear_nf4(x, w.codes, w.table, w.absmax, w.nested, size.features, bias);
  const at::Tensor want = at::addmm(bias.to(at::kDouble), x.to(at::kDouble), w.dense.to(at::kDouble).t());
  const at::Tensor theirs = at::addmm(bias, x, w.dense.t());
  auto error = [&](const at::Tensor &got) { return (got.to(at::kDouble) - want).norm().item<double>(); };
  EXPECT_LE(error(y), 2 * error(theirs)); // PyTorch's own product in the same precision
  EXPECT_TRUE(at::equal(y, linear_nf4(x, w.codes, w.table, w.absmax, w.nested, size.features, bias)));
}

TEST_P(LinearNf4Gpu, GradientEqualsTheDequantizedProduct) {
  const auto &[size, nested, type] = GetParam();
  const at::Tensor dy = at::randn({size.rows, size.features}, at::TensorOptions(kGpu).dtype(at::kFloat)).to(type);
  if (!linear_nf4_gradient_serves(dy, size.in))
    GTEST_SKIP() << "no kernel for this device and dtype";
  const Weight w(size.features, size.in, nested, type);
  const at::Tensor dx = linear_nf4_gradient(dy, w.codes, w.table, w.absmax, w.nested, size.in);
  const at::Tensor want = at::mm(dy.to(at::kDouble), w.dense.to(at::kDouble)), theirs = at::mm(dy, w.dense);
  auto error = [&](const at::Tensor &got) { return (got.to(at::kDouble) - want).norm().item<double>(); };
  EXPECT_LE(error(dx), 2 * error(theirs)); // PyTorch's own product in the same precision
  EXPECT_TRUE(at::equal(dx, linear_nf4_gradient(dy, w.codes, w.table, w.absmax, w.nested, size.in)));
}

// One row with a single 1 reads a row of the weight: every value must be that of the dequantized matrix.
TEST_P(LinearNf4Gpu, GradientReadsTheWeightsBitForBit) {
  const auto &[size, nested, type] = GetParam();
  const at::Tensor dy = at::eye(size.features, at::TensorOptions(kGpu).dtype(at::kFloat)).to(type);
  if (!linear_nf4_gradient_serves(dy, size.in))
    GTEST_SKIP() << "no kernel for this device and dtype";
  const Weight w(size.features, size.in, nested, type);
  EXPECT_TRUE(at::equal(linear_nf4_gradient(dy, w.codes, w.table, w.absmax, w.nested, size.in), w.dense));
}

TEST_P(LinearNf4Gpu, ReadsTheWeightsBitForBit) {
  const auto &[size, nested, type] = GetParam();
  const at::Tensor x = at::eye(size.in, at::TensorOptions(kGpu).dtype(at::kFloat)).to(type);
  const Weight w(size.features, size.in, nested, type);
  for (const int64_t rows : {int64_t(8), int64_t(16), int64_t(32), size.in}) {
    const at::Tensor some = x.narrow(0, 0, rows);
    EXPECT_TRUE(at::equal(linear_nf4(some, w.codes, w.table, w.absmax, w.nested, size.features, {}),
                          w.dense.t().narrow(0, 0, rows)));
  }
}

// After a kernel that reads nothing of it, as in a step: the weight is read while that one ends.
TEST_P(LinearNf4Gpu, GivesTheSameWhileTheKernelBeforeEnds) {
  const auto &[size, nested, type] = GetParam();
  const Weight w(size.features, size.in, nested, type);
  const at::Tensor x = at::randn({size.rows, size.in}, at::TensorOptions(kGpu).dtype(at::kFloat)).to(type);
  const at::Tensor doubled = x * 2, want = linear_nf4(doubled, w.codes, w.table, w.absmax, w.nested, size.features, {});
  for (int i = 0; i < 20; ++i) {
    const at::Tensor fresh = x * 2; // written by the kernel before
    ASSERT_TRUE(at::equal(linear_nf4(fresh, w.codes, w.table, w.absmax, w.nested, size.features, {}, true), want));
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, LinearNf4Gpu,
                         testing::Combine(testing::Values(Case{1, 2880, 5120}, Case{8, 64, 8}, Case{9, 4096, 2880},
                                                          Case{17, 128, 24}, Case{32, 192, 40}, Case{33, 2880, 200},
                                                          Case{97, 128, 136}, Case{512, 2880, 512},
                                                          Case{30, 2880, 5120}, Case{32, 4096, 2880},
                                                          Case{200, 2880, 5120}, Case{700, 4096, 264}),
                                          testing::Bool(), testing::Values(at::kBFloat16, at::kHalf)));

TEST_F(LinearNf4Refusals, RefusesWhatDoesNotFit) {
  const Weight w(16, 64, false, at::kBFloat16);
  const at::Tensor x = at::zeros({2, 64}, at::TensorOptions(kGpu).dtype(at::kBFloat16));
  EXPECT_THAT([&] { linear_nf4(x.narrow(1, 0, 32), w.codes, w.table, w.absmax, {}, 16, {}); },
              testing::ThrowsMessage<c10::Error>(testing::HasSubstr("multiple of 64")));
  EXPECT_THAT([&] { linear_nf4(x, w.codes, w.table, w.absmax, {}, 24, {}); },
              testing::ThrowsMessage<c10::Error>(testing::HasSubstr("codes are 768 bytes")));
  EXPECT_THAT([&] { linear_nf4(x.cpu(), w.codes, w.table, w.absmax, {}, 16, {}); }, testing::Throws<c10::Error>());
}

} // namespace
