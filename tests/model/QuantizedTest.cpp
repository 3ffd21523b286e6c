// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// 4-bit weights, dequantized, against what transformers and bitsandbytes make of them, bit for bit.
#include "model/Matrix.h"
#include "tests/model/PackedFixture.h"
#include <ATen/Functions.h>
#include <gtest/gtest.h>

namespace maskjit {
namespace {

/// A stack of the fixture, [E, in, out] as `dequantized` there.
at::Tensor denseOf(const TensorFile &file, const std::string &name, at::ScalarType dtype) {
  return Matrix(Mxfp4{file[name + ".blocks"], file[name + ".scales"]}).toDense(dtype, /*stack=*/true);
}

TEST(Mxfp4, GivesTheReferenceValues) {
  const TensorFile file("mxfp4.safetensors");
  for (const char *name : {"48x64", "20x160", "range"})
    EXPECT_TRUE(denseOf(file, name, at::kFloat).equal(file[name + std::string(".dequantized")])) << name;
}

TEST(Mxfp4, IsExactInBfloat16) {
  const TensorFile file("mxfp4.safetensors");
  EXPECT_TRUE(denseOf(file, "48x64", at::kBFloat16).to(at::kFloat).equal(file["48x64.dequantized"]));
}

TEST(Nf4, GivesTheReferenceValues) {
  const TensorFile file("nf4.safetensors");
  const std::vector<std::string> names = nf4Cases(file);
  EXPECT_GE(names.size(), 8u);
  for (const std::string &name : names) {
    Nf4 weight = nf4Of(file, name);
    EXPECT_TRUE(dequantize(weight, 0, at::kFloat).equal(file[name + ".dequantized"])) << name;
    if (weight.nestedTable.defined()) {
      weight.rounding = at::kBFloat16;
      EXPECT_TRUE(dequantize(weight, 0, at::kBFloat16).equal(file[name + ".dequantized_bf16"])) << name;
    }
  }
}

TEST(RandomMxfp4, HasTheDeviationAskedFor) {
  const Mxfp4 weight = randomMxfp4(2, 64, 96, 0.02, at::kCPU);
  EXPECT_EQ(weight.blocks.sizes(), (at::IntArrayRef{2, 96, 2, 16}));
  const double deviation = dequantize(weight, 1, at::kFloat).std().item<double>();
  EXPECT_GT(deviation, 0.02 / 1.5); // a power of two is at most sqrt(2) off, and 6144 draws 2 %
  EXPECT_LT(deviation, 0.02 * 1.5);
}

} // namespace
} // namespace maskjit
