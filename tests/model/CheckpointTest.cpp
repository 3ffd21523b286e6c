// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checkpoints that do not fit their configuration: each fault has a message that names the tensor.
#include "model/Checkpoint.h"
#include "model/JsonFields.h"
#include "model/Weights.h"
#include "tests/model/TensorFile.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>

namespace maskjit {
namespace {

using testing::HasSubstr;

/// A copy of a fixture's tensors that a test spoils before it is written and loaded.
struct Spoiled {
  std::map<std::string, at::Tensor> tensors;
  TemporaryFolder folder;
  Config config;

  explicit Spoiled(const std::string &checkpoint, const std::string &file)
      : tensors(TensorFile(checkpoint + "/" + file).all()), config(Config::load(fixture(checkpoint))) {}

  void write(const std::string &file) const {
    std::map<std::string, TensorRecord> records;
    for (auto &[name, tensor] : tensors)
      records[name] = recordOf(tensor);
    Result<void> written = writeSafetensors(folder.path + "/" + file, records);
    ASSERT_TRUE(written) << written.error().message;
  }
  std::string message() const {
    write("model.safetensors");
    return messageOf([&] { loadWeights(folder.path, config, at::kCPU, at::kFloat); });
  }
};

Spoiled mxfp4() { return Spoiled("gpt-oss-tiny-mxfp4", "model.safetensors"); }

TEST(Checkpoint, LoadsAsItIs) { EXPECT_EQ(mxfp4().message(), ""); }

TEST(Checkpoint, NamesMissingSurplusAndMisshapenTensorsTogether) {
  Spoiled files = mxfp4();
  files.tensors.erase("model.norm.weight");
  files.tensors["model.extra"] = at::zeros({2});
  files.tensors["lm_head.weight"] = at::zeros({512, 127});
  files.tensors["model.layers.1.self_attn.sinks"] = at::zeros({4}, at::kLong);
  const std::string message = files.message();
  EXPECT_THAT(message, HasSubstr("model.norm.weight: missing; expected shape [128]"));
  EXPECT_THAT(message, HasSubstr("model.extra: surplus"));
  EXPECT_THAT(message, HasSubstr("lm_head.weight: expected shape [512, 128] by the configuration, got [512, 127]"));
  EXPECT_THAT(message, HasSubstr("model.layers.1.self_attn.sinks: expected BF16 or F16 or F32, got I64"));
}

TEST(Checkpoint, NamesFaultsOfBlocksAndScales) {
  Spoiled files = mxfp4();
  const std::string name = "model.layers.0.mlp.experts.down_proj";
  files.tensors[name + "_scales"].fill_(255);
  EXPECT_THAT(files.message(), HasSubstr(name + "_scales: holds the scale byte 255"));
  files.tensors.erase(name + "_scales");
  EXPECT_THAT(files.message(), HasSubstr(name + "_scales: missing; expected shape [8, 128, 2]"));
  files.tensors[name + "_scales"] = at::zeros({8, 128, 3}, at::kByte);
  EXPECT_THAT(files.message(), HasSubstr(name + "_scales: expected shape [8, 128, 2] by the configuration, got"));
}

TEST(Checkpoint, NamesFaultsOfNf4States) {
  Spoiled files("gpt-oss-tiny-nf4", "model.safetensors");
  const std::string name = "model.layers.0.self_attn.q_proj.weight", state = name + ".quant_state.bitsandbytes__nf4";
  EXPECT_EQ(files.message(), "");
  const at::Tensor text = files.tensors[state].clone();
  files.tensors[state].fill_('x');
  EXPECT_THAT(files.message(), HasSubstr(state + ": not JSON"));
  files.tensors[state] = text;
  files.tensors.erase(name + ".nested_absmax");
  EXPECT_THAT(files.message(), HasSubstr(name + ".nested_absmax: missing"));
}

TEST(Checkpoint, CountsTheProblemsThatItDoesNotShow) {
  Spoiled files = mxfp4();
  files.tensors = {{"model.norm.weight", at::zeros({128})}};
  EXPECT_THAT(files.message(), HasSubstr("more"));
}

/// The sharded fixture with its index changed.
std::string messageOfIndex(const std::function<void(nlohmann::json &, const std::string &folder)> &spoil) {
  namespace fs = std::filesystem;
  const std::string from = fixture("gpt-oss-tiny-bf16");
  TemporaryFolder folder;
  fs::copy(from, folder.path, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  const std::string file = folder.path + "/model.safetensors.index.json";
  nlohmann::json index = nlohmann::json::parse(readTextFile(file));
  spoil(index, folder.path);
  writeTextFile(file, index.dump());
  return messageOf([&] { loadWeights(folder.path, Config::load(folder.path), at::kCPU, at::kFloat); });
}

TEST(Checkpoint, ChecksTheIndexOfShards) {
  const std::string head = "lm_head.weight", first = "model-00001-of-00002.safetensors";
  EXPECT_EQ(messageOfIndex([](nlohmann::json &, const std::string &) {}), "");
  EXPECT_THAT(messageOfIndex([&](nlohmann::json &index, const std::string &) { index["weight_map"][head] = first; }),
              HasSubstr("says that " + first + " holds lm_head.weight, but model-00002-of-00002.safetensors does"));
  EXPECT_THAT(messageOfIndex([&](nlohmann::json &index, const std::string &) { index["weight_map"].erase(head); }),
              HasSubstr("does not name lm_head.weight, which model-00002-of-00002.safetensors holds"));
  EXPECT_THAT(messageOfIndex([&](nlohmann::json &index, const std::string &) { index["weight_map"]["x"] = "../y"; }),
              HasSubstr("weight_map: expected a file name without folders for x, got \"../y\""));
  EXPECT_THAT(messageOfIndex([&](nlohmann::json &index, const std::string &) { index.erase("weight_map"); }),
              HasSubstr("weight_map: expected an object"));
  EXPECT_THAT(messageOfIndex([&](nlohmann::json &, const std::string &f) { std::filesystem::remove(f + "/" + first); }),
              HasSubstr("names " + first + ", which is not in"));
  EXPECT_THAT(messageOfIndex([&](nlohmann::json &, const std::string &f) {
                std::filesystem::copy(f + "/" + first, f + "/model-00002-of-00002.safetensors",
                                      std::filesystem::copy_options::overwrite_existing);
              }),
              HasSubstr("and again in"));
}

/// The sharded fixture without its shards, which come when they are asked for and go when they are done.
struct Arriving {
  const std::string from = fixture("gpt-oss-tiny-bf16");
  TemporaryFolder folder;
  std::vector<std::string> present;
  size_t came = 0;

  Arriving() {
    for (const char *file : {"config.json", "model.safetensors.index.json"})
      std::filesystem::copy(from + "/" + file, folder.path + "/" + file);
  }
  ShardSource source() {
    ShardSource source;
    source.need = [this](const std::string &file) {
      std::filesystem::copy(from + "/" + file, folder.path + "/" + file);
      present.push_back(file), ++came;
    };
    source.done = [this](const std::string &file) {
      EXPECT_TRUE(std::filesystem::remove(folder.path + "/" + file));
      present.erase(std::remove(present.begin(), present.end(), file), present.end());
    };
    return source;
  }
  Weights load(const ShardSource &source) const {
    LoadOptions options;
    options.shards = source;
    return loadWeights(folder.path, Config::load(folder.path), at::kCPU, at::kBFloat16, options);
  }
};

TEST(Checkpoint, TakesShardsAsTheyCome) {
  Arriving arriving;
  Weights got = arriving.load(arriving.source());
  EXPECT_EQ(arriving.came, 2u);
  EXPECT_TRUE(arriving.present.empty());
  const Config config = Config::load(arriving.from);
  Weights want = loadWeights(arriving.from, config, at::kCPU, at::kBFloat16);
  std::map<std::string, at::Tensor> tensors;
  visitWeights(want, config,
               {[&](auto &name, auto &, at::Tensor &tensor) { tensors[name] = tensor; },
                [&](auto &name, auto &, Matrix &matrix) { tensors[name] = matrix.dense(); }});
  visitWeights(got, config, // views of files that are gone
               {[&](auto &name, auto &, at::Tensor &tensor) { EXPECT_TRUE(tensor.equal(tensors[name])) << name; },
                [&](auto &name, auto &, Matrix &m) { EXPECT_TRUE(m.dense().equal(tensors[name])) << name; }});
}

TEST(Checkpoint, SaysWhatDidNotCome) {
  Arriving arriving;
  ShardSource source = arriving.source();
  source.need = [](const std::string &) {};
  EXPECT_THAT(messageOf([&] { arriving.load(source); }), HasSubstr("which was asked for and has not come to"));
  source.need = [&](const std::string &file) { // always the first
    std::filesystem::copy(arriving.from + "/model-00001-of-00002.safetensors", arriving.folder.path + "/" + file,
                          std::filesystem::copy_options::overwrite_existing);
  };
  source.done = {};
  EXPECT_THAT(messageOf([&] { arriving.load(source); }), HasSubstr("but model-00002-of-00002.safetensors does"));
}

TEST(Checkpoint, SaysWhatAFolderLacks) {
  TemporaryFolder folder;
  EXPECT_THAT(messageOf([&] { Checkpoint::open(folder.path); }),
              HasSubstr("holds neither model.safetensors nor model.safetensors.index.json"));
}

TEST(Weights, SavedAndLoadedAgainAreTheSame) {
  Config config = Config::load(fixture("gpt-oss-tiny-bf16"));
  Weights weights = randomWeights(config, at::kCPU, at::kFloat, 7);
  TemporaryFolder folder;
  saveWeights(weights, config, folder.path, at::kFloat);
  Weights again = loadWeights(folder.path, config, at::kCPU, at::kFloat);
  std::map<std::string, at::Tensor> want;
  visitWeights(weights, config,
               {[&](auto &name, auto &, at::Tensor &tensor) { want[name] = tensor; },
                [&](auto &name, auto &, Matrix &matrix) { want[name] = matrix.dense(); }});
  const auto check = [&](const std::string &name, const std::vector<int64_t> &shape, at::Tensor &tensor) {
    EXPECT_TRUE(tensor.equal(want[name])) << name;
    EXPECT_EQ(tensor.sizes().vec(), shape) << name;
  };
  visitWeights(again, config,
               {check, [&](auto &name, auto &shape, Matrix &matrix) { check(name, shape, matrix.dense()); }});
}

TEST(Weights, StayPackedUnlessAskedFor) {
  const Config config = Config::load(fixture("gpt-oss-tiny-mxfp4"));
  const Weights packed = loadWeights(fixture("gpt-oss-tiny-mxfp4"), config, at::kCPU, at::kFloat),
                dense = loadWeights(fixture("gpt-oss-tiny-mxfp4"), config, at::kCPU, at::kFloat, {/*dense=*/true});
  for (int64_t i = 0; i < config.layers; ++i) {
    ASSERT_NE(packed.layers[i].down.mxfp4(), nullptr);
    EXPECT_EQ(packed.layers[i].down.bytes(), 8u * 128 * 2 * 17); // 16 bytes of codes and one of scale for 32 values
    EXPECT_TRUE(packed.layers[i].down.toDense(at::kFloat, true).equal(dense.layers[i].down.dense()));
  }
}

/// Whether memory is that of a mapped file of this name.
bool isMapped(const void *memory, const std::string &file) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    const auto address = reinterpret_cast<uintptr_t>(memory);
    if (std::sscanf(line.c_str(), "%zx-%zx", &begin, &end) == 2 && begin <= address && address < end)
      return line.find(file) != std::string::npos;
  }
  return false;
}

TEST(Weights, AreViewsOfTheFileWhereTheDtypeIsTheSame) {
  Spoiled files = mxfp4();
  files.write("model.safetensors");
  const std::string path = files.folder.path + "/model.safetensors", before = readTextFile(path);
  {
    const Weights weights = loadWeights(files.folder.path, files.config, at::kCPU, at::kFloat);
    const at::Tensor blocks = weights.layers[1].down.mxfp4()->blocks, norm = weights.norm;
    EXPECT_TRUE(isMapped(blocks.const_data_ptr(), path));
    EXPECT_FALSE(isMapped(norm.const_data_ptr(), path)); // BF16 there, fp32 here
    at::Tensor(blocks).fill_(1);                         // as one that learns would be changed
    EXPECT_EQ(blocks.view(-1)[-1].item<int>(), 1);
  }
  EXPECT_EQ(readTextFile(path), before);
  EXPECT_FALSE(isMapped(before.data(), path));
}

TEST(Weights, AnEmbeddingOnTheHostIsAnyEmbeddingOfTheCpu) {
  const std::string folder = fixture("gpt-oss-tiny-bf16");
  const Config config = Config::load(folder);
  LoadOptions options;
  options.embeddingOnHost = true;
  const Weights weights = loadWeights(folder, config, at::kCPU, at::kFloat, options);
  EXPECT_TRUE(weights.embedding.equal(loadWeights(folder, config, at::kCPU, at::kFloat).embedding));
}

TEST(Weights, RandomPackedOnesHaveTheShapesOfTheCheckpoint) {
  const Config config = Config::load(fixture("gpt-oss-tiny-mxfp4"));
  Weights random = randomPackedWeights(config, at::kCPU, at::kFloat, 7),
          stored = loadWeights(fixture("gpt-oss-tiny-mxfp4"), config, at::kCPU, at::kFloat);
  std::map<std::string, std::vector<int64_t>> shapes;
  visitWeights(stored, config,
               {[&](auto &name, auto &, at::Tensor &tensor) { shapes[name] = tensor.sizes().vec(); },
                [&](auto &name, auto &, Matrix &m) { shapes[name] = {m.inputs(), m.outputs()}; }});
  visitWeights(random, config,
               {[&](auto &name, auto &, at::Tensor &tensor) { EXPECT_EQ(tensor.sizes().vec(), shapes[name]) << name; },
                [&](auto &name, auto &shape, Matrix &m) {
                  EXPECT_EQ(m.packed(), shape.size() == 3) << name;
                  EXPECT_EQ((std::vector<int64_t>{m.inputs(), m.outputs()}), shapes[name]) << name;
                }});
}

TEST(Weights, RandomOnesDependOnTheSeedAlone) {
  const Config config = Config::load(fixture("gpt-oss-tiny-bf16"));
  const at::Tensor a = randomWeights(config, at::kCPU, at::kFloat, 7).layers[2].gateUp.dense(),
                   b = randomWeights(config, at::kCPU, at::kFloat, 7).layers[2].gateUp.dense(),
                   c = randomWeights(config, at::kCPU, at::kFloat, 8).layers[2].gateUp.dense();
  EXPECT_TRUE(a.equal(b));
  EXPECT_FALSE(a.equal(c));
  EXPECT_NEAR(a.std().item<double>(), config.initializerRange, 0.02 * config.initializerRange); // 2 % : 131,072 draws
}

} // namespace
} // namespace maskjit
