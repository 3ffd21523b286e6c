// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The shipped masks, point by point, against the mask tensor of every attention fixture.
#include "compiler/Compiler.h"
#include "runtime/safetensors/Safetensors.h"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace maskjit;
using Json = nlohmann::json;

namespace {

/// The shipped masks that a sidecar's words describe; more than one may say the same.
std::vector<std::string> masksOf(const Json &mask) {
  const bool window = mask.contains("window");
  if (mask.contains("documents"))
    return window ? std::vector<std::string>{"packed_window"} : std::vector<std::string>{"packed_documents"};
  if (mask.contains("prefix"))
    return {"prefix_lm"};
  if (!mask.contains("causal"))
    return {"right_padding"};
  std::vector<std::string> names = {window ? "gpt_oss_sliding" : "gpt_oss_full"};
  if (window && mask.size() == 2)
    names.insert(names.end(), {"sliding_window", "packed_window", "softcap"});
  if (!window && mask.size() == 1)
    names.insert(names.end(), {"causal", "left_padding", "packed_documents", "prefix_lm", "softcap"});
  if (!window && mask.size() == 2 && mask.contains("q_offset"))
    names.push_back("cache_offset");
  if (!window && mask.size() == 2 && mask.contains("left_pad"))
    names.push_back("left_padding");
  return names;
}

/// A parameter's values: one number, one a sequence, or the documents' lengths along the row.
struct Values {
  std::vector<int32_t> numbers;
  int64_t batchStride = 0, size = 1;
};
Values valuesOf(const std::string &name, const Json &value) {
  Values values;
  if (name == "documents") {
    for (size_t b = 0; b < value.size(); ++b)
      for (size_t document = 0; document < value[b].size(); ++document)
        values.numbers.insert(values.numbers.end(), value[b][document].get<size_t>(), static_cast<int32_t>(document));
    values.size = static_cast<int64_t>(values.numbers.size() / value.size());
    values.batchStride = values.size;
  } else if (value.is_array()) {
    values.numbers = value.get<std::vector<int32_t>>();
    values.batchStride = 1;
  } else {
    values.numbers = {value.get<int32_t>()};
  }
  return values;
}

} // namespace

TEST(FixtureMasks, EveryPairOfEveryFile) {
  int files = 0, comparisons = 0;
  for (const auto &entry : std::filesystem::directory_iterator(MASKJIT_FIXTURES "/attention")) {
    if (entry.path().extension() != ".json")
      continue;
    const Json json = Json::parse(std::ifstream(entry.path()));
    if (json["mask"].contains("dead_rows")) // rows taken out one by one: no mask of the library
      continue;
    auto file = SafetensorsFile::open(std::filesystem::path(entry.path()).replace_extension(".safetensors").string());
    ASSERT_TRUE(file) << file.error().message;
    const TensorRecord *tensor = file->find("mask");
    ASSERT_TRUE(tensor && tensor->dtype == "U8" && tensor->shape.size() == 3);
    const auto *expected = static_cast<const uint8_t *>(tensor->data);
    const int64_t batch = tensor->shape[0], queries = tensor->shape[1], keys = tensor->shape[2];
    ++files;
    for (const std::string &name : masksOf(json["mask"])) {
      SCOPED_TRACE(entry.path().stem().string() + " as " + name);
      Result<Mask> mask = Mask::find(name);
      ASSERT_TRUE(mask) << mask.error().message;
      std::map<std::string, Values> values;
      for (const auto &[param, value] : json["mask"].items())
        if (param != "causal")
          values[param] = valuesOf(param, value);
      std::vector<ParamValues> bound;
      size_t used = 0;
      for (const ParamInfo &param : mask->params()) {
        auto found = values.find(param.name);
        used += found != values.end();
        bound.push_back(found == values.end()
                            ? ParamValues{}
                            : ParamValues{found->second.numbers.data(), found->second.batchStride, found->second.size});
      }
      ASSERT_EQ(used, values.size()) << "the mask takes every parameter of the sidecar";
      Result<MaskEvaluator> evaluator = MaskEvaluator::bind(*mask, bound, batch);
      ASSERT_TRUE(evaluator) << evaluator.error().message;
      for (int64_t b = 0; b < batch; ++b)
        for (int64_t q = 0; q < queries; ++q)
          for (int64_t k = 0; k < keys; ++k)
            ASSERT_EQ(evaluator->attends(b, 0, q, k), expected[(b * queries + q) * keys + k] != 0)
                << "b " << b << ", q " << q << ", k " << k;
      ++comparisons;
    }
  }
  EXPECT_EQ(files, 23);
  EXPECT_GE(comparisons, 30);
}
