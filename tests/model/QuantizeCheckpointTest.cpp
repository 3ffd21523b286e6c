// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checkpoints written in NF4: the layout of the fixture that transformers made, both layouts loaded again, shards.
#include "model/QuantizeCheckpoint.h"
#include "model/JsonFields.h"
#include "tests/model/GptOssFixture.h"
#include <filesystem>
#include <gmock/gmock.h>

namespace maskjit {
namespace {

using testing::HasSubstr;

std::map<std::string, std::pair<std::string, std::vector<int64_t>>> layoutOf(const std::string &folder) {
  Result<SafetensorsFile> file = SafetensorsFile::open(folder + "/model.safetensors");
  EXPECT_TRUE(file) << file.error().message;
  std::map<std::string, std::pair<std::string, std::vector<int64_t>>> layout;
  for (auto &[name, record] : file->tensors())
    layout[name] = {record.dtype, record.shape};
  return layout;
}

TEST(QuantizeCheckpoint, HasTheLayoutThatTransformersWrites) {
  // The fixture's attention is quantized already: the same model with the values that it stands for.
  const auto model = loadFixture("gpt-oss-tiny-nf4");
  TemporaryFolder plain, quantized;
  model->save(plain.path, at::kBFloat16);
  quantizeCheckpoint(plain.path, quantized.path, ExpertFormat::Bf16, {});
  auto want = layoutOf(fixture("gpt-oss-tiny-nf4")), got = layoutOf(quantized.path);
  for (auto &[name, entry] : want) {
    ASSERT_TRUE(got.count(name)) << name;
    EXPECT_EQ(got[name].first, entry.first) << name;
    if (name.find("quant_state") == std::string::npos) { // its text's length depends on a number
      EXPECT_EQ(got[name].second, entry.second) << name;
    }
  }
  EXPECT_EQ(got.size(), want.size());
  const auto config = [](const std::string &folder) {
    return nlohmann::json::parse(readTextFile(folder + "/config.json"))["quantization_config"];
  };
  EXPECT_EQ(config(quantized.path), config(fixture("gpt-oss-tiny-nf4")));
  EXPECT_THAT(messageOf([&] { quantizeCheckpoint(fixture("gpt-oss-tiny-nf4"), plain.path, ExpertFormat::Bf16, {}); }),
              HasSubstr("is in 4 bits already"));
  EXPECT_THAT(messageOf([&] { quantizeCheckpoint(plain.path, plain.path, ExpertFormat::Bf16, {}); }),
              HasSubstr("is the checkpoint that is read"));
}

/// Logits of some tokens.
at::Tensor logitsOf(const GptOss &model) {
  at::NoGradGuard guard;
  Batch batch;
  batch.inputIds = at::arange(40, at::kLong).view({2, 20});
  return model.logits(model.forward(batch).last);
}

TEST(QuantizeCheckpoint, BothLayoutsLoadAsWhatQuantizingOnLoadGives) {
  for (const char *name : {"gpt-oss-tiny-bf16", "gpt-oss-tiny-mxfp4"})
    for (ExpertFormat experts : {ExpertFormat::Bf16, ExpertFormat::Nf4}) {
      TemporaryFolder folder;
      quantizeCheckpoint(fixture(name), folder.path, experts, {});
      const auto written = GptOss::load(folder.path, at::kCPU, at::kFloat);
      const LayerWeights &layer = written->weights().layers[1];
      EXPECT_NE(layer.oWeight.nf4(), nullptr);
      EXPECT_EQ(layer.down.nf4() != nullptr, experts == ExpertFormat::Nf4);
      LoadOptions options;
      options.nf4Attention = true;
      options.nf4Experts = experts == ExpertFormat::Nf4;
      if (std::string(name) == "gpt-oss-tiny-bf16") {
        const auto onLoad = GptOss::load(fixture(name), at::kCPU, at::kFloat, options);
        EXPECT_TRUE(logitsOf(*written).equal(logitsOf(*onLoad)));
      }
      EXPECT_TRUE(std::filesystem::exists(folder.path + "/tokenizer.json"));
    }
}

TEST(QuantizeCheckpoint, AMixOfMxfp4ExpertsAndNf4AttentionExistsAtLoad) {
  LoadOptions options;
  options.nf4Attention = options.nf4Experts = true; // the experts are in 4 bits already
  size_t calls = 0, last = 0, total = 0;
  options.progress = [&](size_t done, size_t of) {
    EXPECT_GT(done, last);
    ++calls, last = done, total = of;
  };
  const auto model = GptOss::load(fixture("gpt-oss-tiny-mxfp4"), at::kCPU, at::kFloat, options);
  EXPECT_NE(model->weights().layers[0].qWeight.nf4(), nullptr);
  EXPECT_NE(model->weights().layers[0].down.mxfp4(), nullptr);
  EXPECT_GT(calls, 50u);
  EXPECT_EQ(last, total);
  EXPECT_TRUE(logitsOf(*model).isfinite().all().item<bool>());
}

TEST(QuantizeCheckpoint, NamesWhatIsWrongWithASingleExpert) {
  TemporaryFolder folder;
  quantizeCheckpoint(fixture("gpt-oss-tiny-bf16"), folder.path, ExpertFormat::Nf4, {});
  Result<SafetensorsFile> file = SafetensorsFile::open(folder.path + "/model.safetensors");
  std::map<std::string, at::Tensor> tensors;
  for (auto &[name, record] : file->tensors())
    tensors[name] = tensorOf(record).clone();
  const std::string name = "model.layers.2.mlp.experts.down_projs.5.weight";
  const auto message = [&](const std::string &change, const at::Tensor &value) {
    std::map<std::string, TensorRecord> records;
    for (auto &[key, tensor] : tensors)
      if (key != change || value.defined())
        records[key] = recordOf(key == change ? value : tensor);
    EXPECT_TRUE(writeSafetensors(folder.path + "/model.safetensors", records));
    return messageOf([&] { GptOss::load(folder.path, at::kCPU, at::kFloat); });
  };
  EXPECT_EQ(message("", {}), "");
  EXPECT_THAT(message(name + ".absmax", {}), HasSubstr(name + ".absmax: missing"));
  EXPECT_THAT(message(name, {}), HasSubstr(name + ": missing"));
  EXPECT_THAT(message(name + ".quant_map", at::zeros({16})), HasSubstr("expected the table of"));
}

TEST(ShardWriter, WritesShardsThatLoad) {
  Config config = Config::load(fixture("gpt-oss-tiny-bf16"));
  const auto model = loadFixture("gpt-oss-tiny-bf16");
  TemporaryFolder folder;
  ShardWriter writer(folder.path, 200'000);
  for (auto &[name, tensor] : model->parameters())
    writer.add(name, tensor.to(at::kBFloat16));
  writer.finish();
  writeTextFile(folder.path + "/config.json", config.toJson("bfloat16"));
  size_t files = 0;
  for (const auto &entry : std::filesystem::directory_iterator(folder.path))
    files += entry.path().extension() == ".safetensors";
  EXPECT_GT(files, 3u);
  EXPECT_TRUE(logitsOf(*GptOss::load(folder.path, at::kCPU, at::kFloat)).equal(logitsOf(*model)));
}

} // namespace
} // namespace maskjit
