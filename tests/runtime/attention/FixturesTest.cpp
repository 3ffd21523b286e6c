// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every case of tests/fixtures/attention through both targets, in each dtype, with all gradients.
#include "runtime/launch/Driver.h"
#include "runtime/safetensors/Safetensors.h"
#include "tests/runtime/attention/AttentionCase.h"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace maskjit::test {
namespace {

using Json = nlohmann::json;

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto &file : std::filesystem::directory_iterator(MASKJIT_FIXTURES "/attention"))
    if (file.path().extension() == ".json")
      all.push_back(file.path().stem());
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<float> read(const SafetensorsFile &file, const std::string &name) {
  const TensorRecord *tensor = file.find(name);
  EXPECT_TRUE(tensor) << name;
  const size_t count = tensor->bytes / (tensor->dtype == "F32" ? 4 : 2);
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    uint32_t bits = 0;
    if (tensor->dtype == "F32")
      std::memcpy(&bits, static_cast<const char *>(tensor->data) + 4 * i, 4);
    else
      std::memcpy(reinterpret_cast<char *>(&bits) + 2, static_cast<const char *>(tensor->data) + 2 * i, 2);
    std::memcpy(&values[i], &bits, 4);
  }
  return values;
}

void fill(HostTensor &tensor, const std::vector<float> &values) {
  int64_t i = 0;
  tensor.forEach([&](int64_t b, int64_t h, int64_t s, int64_t d) { tensor.set(b, h, s, d, values[i++]); });
}

/// The mask of a case: a shipped one, or a text where none hides rows.
Result<Mask> maskOf(const Json &mask, bool softcap) {
  if (mask.contains("dead_rows"))
    return Mask::parse("mask dead_rows(q, k; dead[q]: int 0..1) = k <= q && dead[q] == 0", "dead_rows.mask");
  const bool window = mask.contains("window");
  if (softcap)
    return Mask::find("softcap");
  if (mask.contains("documents"))
    return Mask::find(window ? "packed_window" : "packed_documents");
  if (mask.contains("prefix"))
    return Mask::find("prefix_lm");
  if (!mask.contains("causal"))
    return Mask::find("right_padding");
  return Mask::find(window ? "gpt_oss_sliding" : "gpt_oss_full");
}

void setParams(AttentionCase &c, const Json &mask, const Json &softcap) {
  for (const auto &[name, value] : mask.items()) {
    if (name == "causal")
      continue;
    if (name == "documents") {
      std::vector<int32_t> ids;
      for (size_t run = 0; run < value[0].size(); ++run)
        ids.insert(ids.end(), value[0][run].get<int>(), int32_t(run));
      c.setParam(name, ids);
    } else if (name == "dead_rows") {
      std::vector<int32_t> dead(c.batch * c.lenQ, 0);
      for (int64_t b = 0; b < c.batch; ++b)
        for (int row : value[b])
          dead[b * c.lenQ + row] = 1;
      c.setParam("dead", dead);
    } else {
      c.setParam(name,
                 value.is_array() ? value.get<std::vector<int32_t>>() : std::vector<int32_t>{value.get<int32_t>()});
    }
  }
  if (!softcap.is_null())
    c.setParam("softcap", std::vector<float>{softcap.get<float>()});
}

struct Tolerance {
  const char *name;
  double worst, absolute, norm; // fp32: worst of max|got - want| / (1 + |want|); else absolute or L2
};

void expectNear(DType dtype, const Tolerance &tolerance, const std::vector<float> &got,
                const std::vector<float> &wanted) {
  const std::vector<double> want(wanted.begin(), wanted.end());
  if (dtype == DType::F32) {
    EXPECT_LE(worstError(got, want), tolerance.worst) << tolerance.name;
    return;
  }
  const double absolute = worstDifference(got, want), norm = relativeNorm(got, want);
  EXPECT_TRUE(absolute <= tolerance.absolute || norm <= tolerance.norm)
      << tolerance.name << ": " << absolute << " absolute, " << norm << " of the norm";
}

class AttentionFixture : public testing::TestWithParam<std::tuple<std::string, DType, Target>> {};

TEST_P(AttentionFixture, ForwardAndBackward) {
  const auto &[name, dtype, target] = GetParam();
  if (target == Target::Cuda && !cuda::Driver::load())
    GTEST_SKIP() << "no gpu: " << cuda::Driver::load().error().message;
  const std::string path = MASKJIT_FIXTURES "/attention/" + name;
  const Json json = Json::parse(std::ifstream(path + ".json"));
  auto file = SafetensorsFile::open(path + ".safetensors");
  ASSERT_TRUE(file) << file.error().message;
  auto mask = maskOf(json["mask"], !json["softcap"].is_null());
  ASSERT_TRUE(mask) << mask.error().message;

  AttentionCase c(*mask, dtype, json["batch"], json["q_heads"], json["kv_heads"], json["q_len"], json["kv_len"],
                  json["head_dim"]);
  c.target = target;
  c.scale = json["scale"];
  for (const auto &[tensor, key] : {std::pair{&c.q, "q"}, {&c.k, "k"}, {&c.v, "v"}, {&c.dout, "dout"}})
    fill(*tensor, read(*file, key));
  if (json["sinks"].get<bool>())
    c.sinks = read(*file, "sinks");
  setParams(c, json["mask"], json["softcap"]);

  c.forward();
  c.backward();
  const double fp32 = 2e-6; // as the fixtures' README expects; the rest of it for bf16
  expectNear(dtype, {"out", fp32, 0.02, 0.005}, c.out.values(), read(*file, "out"));
  expectNear(dtype, {"lse", fp32, 1e-4, 0}, c.lse, read(*file, "lse"));
  expectNear(dtype, {"dq", fp32, 0.05, 0.01}, c.dq.values(), read(*file, "dq"));
  expectNear(dtype, {"dk", fp32, 0.05, 0.01}, c.dk.values(), read(*file, "dk"));
  expectNear(dtype, {"dv", fp32, 0.05, 0.01}, c.dv.values(), read(*file, "dv"));
  if (!c.sinks.empty())
    expectNear(dtype, {"dsinks", fp32, 0.05, 0.01}, c.dsinks, read(*file, "dsinks"));
}

std::string caseName(const testing::TestParamInfo<std::tuple<std::string, DType, Target>> &info) {
  const char *dtypes[] = {"f32", "f16", "bf16"};
  return std::get<0>(info.param) + "_" + dtypes[int(std::get<1>(info.param))];
}
INSTANTIATE_TEST_SUITE_P(Cpu, AttentionFixture,
                         testing::Combine(testing::ValuesIn(names()),
                                          testing::Values(DType::F32, DType::BF16, DType::F16),
                                          testing::Values(Target::Cpu)),
                         caseName);
INSTANTIATE_TEST_SUITE_P(gpu, AttentionFixture,
                         testing::Combine(testing::ValuesIn(names()), testing::Values(DType::BF16, DType::F16),
                                          testing::Values(Target::Cuda)),
                         caseName);

} // namespace
} // namespace maskjit::test
