// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads a fixture and translates its sidecar into a shipped mask, or one of fixtures.mask.
#include "AttentionFixture.h"
#include "runtime/safetensors/Safetensors.h"
#include <ATen/ATen.h>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace maskjit::test {

namespace {
using nlohmann::json;
const std::string kFolder = MASKJIT_FIXTURES "/attention/";

at::Tensor tensorOf(const SafetensorsFile &file, const std::string &name) {
  const TensorRecord *record = file.find(name);
  if (!record)
    throw std::runtime_error("no tensor " + name);
  const at::ScalarType type = record->dtype == "BF16" ? at::kBFloat16 : record->dtype == "U8" ? at::kByte : at::kFloat;
  return at::from_blob(const_cast<void *>(record->data), record->shape, type).clone();
}

at::Tensor ints(const std::vector<int32_t> &values) { return at::tensor(values, at::kInt); }
/// A number, or one a sequence.
at::Tensor ints(const json &value) {
  return value.is_number() ? at::scalar_tensor(value.get<int32_t>(), at::kInt)
                           : ints(value.get<std::vector<int32_t>>());
}

at::Tensor documentIds(const json &documents) {
  std::vector<int32_t> ids;
  int32_t id = 0;
  for (int length : documents[0]) {
    ids.insert(ids.end(), length, id);
    ++id;
  }
  return ints(ids);
}

at::Tensor deadRows(const json &rows, int64_t length) {
  at::Tensor dead = at::zeros({static_cast<int64_t>(rows.size()), length}, at::kInt);
  for (size_t b = 0; b < rows.size(); ++b)
    for (int row : rows[b])
      dead[b][row] = 1;
  return dead;
}

void chooseMask(AttentionFixture &fixture, const json &sidecar) {
  const json &mask = sidecar["mask"];
  const bool windowed = mask.contains("window");
  const auto value = [&](const char *name, int32_t fallback) {
    return mask.contains(name) ? ints(mask[name]) : at::scalar_tensor(fallback, at::kInt);
  };
  constexpr int32_t kUnlimited = 1 << 28;
  if (mask.contains("dead_rows")) {
    fixture.mask = MASKJIT_SOURCE_DIR "/tests/runtime/torch/fixtures.mask:causal_dead_rows";
    fixture.params = {deadRows(mask["dead_rows"], sidecar["q_len"])};
  } else if (mask.contains("documents")) {
    fixture.mask = windowed ? "packed_window" : "packed_documents";
    if (windowed)
      fixture.params.push_back(ints(mask["window"]));
    fixture.params.push_back(documentIds(mask["documents"]));
  } else if (mask.contains("prefix")) {
    fixture.mask = "prefix_lm";
    fixture.params = {ints(mask["prefix"])};
  } else if (!sidecar["softcap"].is_null()) {
    fixture.mask = "softcap";
    fixture.params = {at::scalar_tensor(sidecar["softcap"].get<float>(), at::kFloat), value("window", kUnlimited)};
  } else if (!mask.contains("causal")) {
    fixture.mask = "right_padding";
    fixture.params = {ints(mask["kv_len"])};
  } else {
    fixture.mask = windowed ? "gpt_oss_sliding" : "gpt_oss_full";
    if (windowed)
      fixture.params.push_back(ints(mask["window"]));
    // Trailing ones stay away where the fixture has none: their defaults are tested so.
    if (mask.contains("q_offset") || mask.contains("left_pad") || mask.contains("kv_len"))
      fixture.params.push_back(value("q_offset", 0));
    if (mask.contains("left_pad") || mask.contains("kv_len"))
      fixture.params.push_back(value("left_pad", 0));
    if (mask.contains("kv_len"))
      fixture.params.push_back(value("kv_len", kUnlimited));
  }
}
} // namespace

std::vector<std::string> AttentionFixture::names() {
  std::vector<std::string> names;
  for (const auto &entry : std::filesystem::directory_iterator(kFolder))
    if (entry.path().extension() == ".json")
      names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

AttentionFixture AttentionFixture::load(const std::string &name, at::ScalarType type) {
  auto file = SafetensorsFile::open(kFolder + name + ".safetensors");
  if (!file)
    throw std::runtime_error(file.error().message);
  std::ifstream stream(kFolder + name + ".json");
  const json sidecar = json::parse(stream);
  AttentionFixture fixture;
  fixture.name = name;
  fixture.scale = sidecar["scale"];
  chooseMask(fixture, sidecar);
  for (auto [tensor, key] : {std::pair{&fixture.q, "q"}, {&fixture.k, "k"}, {&fixture.v, "v"}, {&fixture.dout, "dout"}})
    *tensor = tensorOf(*file, key).to(type);
  for (auto [tensor, key] : {std::pair{&fixture.out, "out"},
                             {&fixture.lse, "lse"},
                             {&fixture.dq, "dq"},
                             {&fixture.dk, "dk"},
                             {&fixture.dv, "dv"}})
    *tensor = tensorOf(*file, key);
  if (sidecar["sinks"]) {
    fixture.sinks = tensorOf(*file, "sinks").to(at::kFloat);
    fixture.dsinks = tensorOf(*file, "dsinks");
  }
  return fixture;
}

double difference(const at::Tensor &got, const at::Tensor &want) {
  const at::Tensor a = got.detach().to(at::kCPU, at::kDouble), b = want.to(at::kDouble);
  const at::Tensor relative = (a - b).abs() / (1 + b.abs());
  // NaN stays NaN, and fails every comparison with a bound.
  return at::where(a == b, at::zeros_like(a), relative).max().item<double>();
}

bool isNear(const at::Tensor &got, const at::Tensor &want, double absolute, double relative) {
  const at::Tensor error = got.detach().to(at::kCPU, at::kDouble) - want.to(at::kDouble);
  return error.abs().max().item<double>() <= absolute ||
         error.norm().item<double>() <= relative * want.to(at::kDouble).norm().item<double>();
}

} // namespace maskjit::test
