// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// NF4 made here against what bitsandbytes made of the same weights, bit for bit.
#include "model/QuantizeNf4.h"
#include "tests/model/PackedFixture.h"
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

namespace maskjit {
namespace {

TEST(QuantizeNf4, IsBitsandbytes) {
  const TensorFile file("nf4.safetensors");
  int cases = 0;
  for (const std::string &name : nf4Cases(file)) {
    const size_t end = name.rfind("_double");
    if (end == std::string::npos)
      continue;
    const Nf4 got = quantizeNf4(file[name.substr(0, end) + ".weight"]), want = nf4Of(file, name);
    EXPECT_TRUE(got.codes.equal(want.codes)) << name << ": " << (got.codes != want.codes).sum().item<int64_t>();
    EXPECT_TRUE(got.table.equal(want.table)) << name;
    EXPECT_TRUE(got.absmax.equal(want.absmax)) << name << ": " << (got.absmax != want.absmax).sum().item<int64_t>();
    EXPECT_TRUE(got.nestedTable.equal(want.nestedTable)) << name;
    EXPECT_TRUE(got.nestedAbsmax.equal(want.nestedAbsmax)) << name;
    EXPECT_TRUE(got.nestedOffset.equal(want.nestedOffset)) << name;
    ++cases;
  }
  EXPECT_GE(cases, 4);
}

TEST(QuantizeNf4, OfZerosIsZero) {
  const Nf4 zeros = quantizeNf4(at::zeros({3, 64}));
  EXPECT_EQ(dequantize(zeros, 0, at::kFloat).abs().max().item<float>(), 0);
}

TEST(QuantizeNf4, ErrsByHalfAStepAtMost) {
  const at::Tensor weight = at::randn({96, 100}).to(at::kBFloat16);
  const Nf4 packed = quantizeNf4(weight);
  EXPECT_EQ(packed.rounding, at::kBFloat16);
  const at::Tensor error = (dequantize(packed, 0, at::kFloat) - weight.to(at::kFloat)).abs().flatten();
  const at::Tensor scale = blockScales(packed)[0].repeat_interleave(64).narrow(0, 0, 9600);
  // Half of the widest gap between values is 0.152; the scale's own 8 bits add 1 %.
  EXPECT_LT((error / scale).max().item<float>(), 0.17);
}

TEST(QuantizeNf4, StacksKeepTheirMatrices) {
  const at::Tensor a = at::randn({8, 64}), b = at::randn({8, 64});
  const Nf4 stack = stackNf4({quantizeNf4(a), quantizeNf4(b)});
  EXPECT_EQ(stack.matrices(), 2);
  EXPECT_TRUE(dequantize(stack, 1, at::kFloat).equal(dequantize(quantizeNf4(b), 0, at::kFloat)));
}

} // namespace
} // namespace maskjit
