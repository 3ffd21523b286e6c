// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// 4-bit weights against what transformers and bitsandbytes make of them, bit for bit.
#include "model/Quantized.h"
#include "tests/model/TensorFile.h"
#include <ATen/Functions.h>
#include <gtest/gtest.h>

namespace maskjit {
namespace {

TEST(Mxfp4, GivesTheReferenceValues) {
  const TensorFile file("mxfp4.safetensors");
  for (const char *name : {"48x64", "20x160", "range"}) {
    const std::string prefix = name + std::string(".");
    const at::Tensor want = file[prefix + "dequantized"];
    EXPECT_TRUE(dequantizeMxfp4(file[prefix + "blocks"], file[prefix + "scales"], at::kFloat).equal(want)) << name;
  }
}

TEST(Mxfp4, IsExactInBfloat16) {
  const TensorFile file("mxfp4.safetensors");
  const at::Tensor blocks = file["48x64.blocks"], scales = file["48x64.scales"];
  EXPECT_TRUE(dequantizeMxfp4(blocks, scales, at::kBFloat16).to(at::kFloat).equal(file["48x64.dequantized"]));
}

TEST(Nf4, GivesTheReferenceValues) {
  const TensorFile file("nf4.safetensors");
  int cases = 0;
  for (auto &[name, want] : file.all()) {
    const std::string end = ".packed";
    if (name.size() < end.size() || name.compare(name.size() - end.size(), end.size(), end) != 0)
      continue;
    const std::string prefix = name.substr(0, name.size() - end.size()) + ".";
    Nf4 weight;
    weight.codes = want;
    weight.table = file["quant_map"];
    weight.shape = file[prefix + "dequantized"].sizes().vec();
    if (file.all().count(prefix + "absmax_u8")) {
      weight.absmax = file[prefix + "absmax_u8"];
      weight.nestedTable = file[prefix + "nested_quant_map"];
      weight.nestedAbsmax = file[prefix + "nested_absmax"];
      weight.nestedOffset = file[prefix + "offset"].item<float>();
      EXPECT_TRUE(dequantizeNf4(weight).to(at::kBFloat16).equal(file[prefix + "dequantized_bf16"])) << prefix;
    } else {
      weight.absmax = file[prefix + "absmax"];
    }
    EXPECT_TRUE(dequantizeNf4(weight).equal(file[prefix + "dequantized"])) << prefix;
    ++cases;
  }
  EXPECT_GE(cases, 8);
}

} // namespace
} // namespace maskjit
