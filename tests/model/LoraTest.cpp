// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Adapters against PEFT: logits, log-probabilities, gradients, the adapter off; files written and read; refusals.
#include "model/Lora.h"
#include "model/JsonFields.h"
#include "tests/model/GptOssFixture.h"
#include <filesystem>
#include <gmock/gmock.h>

namespace maskjit {
namespace {

using testing::HasSubstr;

constexpr double kLogits = 2e-4, kExpected = 2e-5, kGradients = 1e-4; // the fixtures' README, fp32 on the CPU

struct LoraFixture : testing::Test {
  std::shared_ptr<GptOss> model = loadFixture("gpt-oss-tiny-bf16");
  TensorFile golden{"golden/lora/lora.safetensors"};

  void SetUp() override { model->adapter = Lora::load(fixture("lora"), model->config(), at::kCPU); }
};

TEST_F(LoraFixture, GivesTheLogits) {
  at::NoGradGuard guard;
  const Batch batch = batchOf(golden, "left");
  const at::Tensor got = model->logits(model->forward(batch).last).narrow(2, 0, 128);
  EXPECT_LT(maxError(got, golden["left.logits[:,:,0:128]"], batch.attentionMask), kLogits);
}

TEST_F(LoraFixture, GivesLogProbabilitiesAndGradients) {
  const at::Tensor logps = completionLogps(*model, golden);
  EXPECT_LT(maxError(logps, golden["logps"], golden["completion_mask"]), kExpected);
  completionLoss(logps, golden).backward();
  std::map<std::string, at::Tensor> parameters;
  for (auto &[name, tensor] : model->adapter->parameters())
    parameters[name] = tensor;
  EXPECT_EQ(parameters.size(), 4u * 6 * 2);
  int compared = 0;
  for (auto &[name, want] : golden.all()) {
    if (name.rfind("grad.", 0) != 0)
      continue;
    ASSERT_TRUE(parameters.count(name.substr(5))) << name;
    EXPECT_LT(l2Error(parameters[name.substr(5)].grad(), want), kGradients) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 2 * 6 * 2);
  for (auto &[name, tensor] : model->parameters())
    EXPECT_FALSE(tensor.grad().defined()) << name;
}

TEST_F(LoraFixture, SwitchedOffIsTheModelAlone) {
  at::NoGradGuard guard;
  model->adapterEnabled = false;
  EXPECT_LT(maxError(completionLogps(*model, golden), golden["disabled.logps"], golden["completion_mask"]), kExpected);
}

TEST_F(LoraFixture, SavedAndLoadedAgainIsTheSame) {
  TemporaryFolder folder;
  model->adapter->save(folder.path, "base");
  const auto again = Lora::load(folder.path, model->config(), at::kCPU);
  EXPECT_EQ(again->scaling(), 2);
  const auto want = model->adapter->parameters(), got = again->parameters();
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(got[i].first, want[i].first);
    EXPECT_TRUE(got[i].second.equal(want[i].second)) << want[i].first;
  }
}

TEST_F(LoraFixture, AFreshAdapterChangesNothingAndLearns) {
  LoraConfig config;
  config.rank = 2;
  model->adapter = Lora::create(model->config(), config, at::kCPU, 5);
  const at::Tensor logps = completionLogps(*model, golden);
  EXPECT_LT(maxError(logps, golden["disabled.logps"], golden["completion_mask"]), kExpected);
  completionLoss(logps, golden).backward();
  for (auto &[name, tensor] : model->adapter->parameters()) // B is 0, so A learns nothing yet, and B does
    EXPECT_EQ(tensor.grad().count_nonzero().item<int64_t>() > 0, name.find("lora_B") != std::string::npos) << name;
}

TEST_F(LoraFixture, NamesASingleExpertParameterAsPeftDoes) {
  LoraConfig config;
  config.targetModules = {}, config.targetParameters = {"mlp.experts.down_proj"};
  const auto lora = Lora::create(model->config(), config, at::kCPU, 5);
  EXPECT_EQ(lora->parameters()[0].first, "base_model.model.model.layers.0.mlp.experts.lora_A.weight");
  EXPECT_EQ(lora->parameters()[0].second.sizes(), (at::IntArrayRef{8 * 8, 64}));
  EXPECT_EQ(lora->find(0, "experts.gate_up_proj"), nullptr);
  config.targetParameters = {"1.mlp.experts.gate_up_proj"}; // one layer
  EXPECT_EQ(Lora::create(model->config(), config, at::kCPU, 5)->parameters().size(), 2u);
}

TEST_F(LoraFixture, RefusesTargetsThatMatchNothing) {
  const auto message = [&](std::vector<std::string> modules, std::vector<std::string> parameters) {
    LoraConfig config;
    config.targetModules = modules, config.targetParameters = parameters;
    return messageOf([&] { Lora::create(model->config(), config, at::kCPU, 0); });
  };
  EXPECT_EQ(message({"q_proj"}, {}), "");
  EXPECT_THAT(message({"q_proj", "gate_proj"}, {}), HasSubstr("target_modules: 'gate_proj' matches nothing"));
  EXPECT_THAT(message({"proj"}, {}), HasSubstr("'proj' matches nothing"));
  EXPECT_THAT(message({"experts.down_proj"}, {}), HasSubstr("experts go into target_parameters"));
  EXPECT_THAT(message({}, {"mlp.experts.up_proj"}),
              HasSubstr("target_parameters: 'mlp.experts.up_proj' matches nothing"));
  EXPECT_THAT(message({}, {}), HasSubstr("the adapter has no targets"));
}

TEST_F(LoraFixture, RefusesAdaptersThatItDoesNotApply) {
  const auto message = [&](const char *field, const nlohmann::json &value) {
    TemporaryFolder folder;
    std::filesystem::copy(fixture("lora"), folder.path, std::filesystem::copy_options::recursive);
    nlohmann::json config = nlohmann::json::parse(readTextFile(folder.path + "/adapter_config.json"));
    config[field] = value;
    writeTextFile(folder.path + "/adapter_config.json", config.dump());
    return messageOf([&] { Lora::load(folder.path, model->config(), at::kCPU); });
  };
  EXPECT_EQ(message("lora_dropout", 0.1), "");
  EXPECT_THAT(message("peft_type", "IA3"), HasSubstr("adapter_config.json: peft_type: expected \"LORA\", got \"IA3\""));
  EXPECT_THAT(message("use_dora", true), HasSubstr("use_dora: expected false"));
  EXPECT_THAT(message("bias", "all"), HasSubstr("bias: expected \"none\", got \"all\""));
  EXPECT_THAT(message("rank_pattern", {{"q_proj", 8}}), HasSubstr("rank_pattern: expected none"));
  EXPECT_THAT(message("r", 0), HasSubstr("r: expected an integer in 1..65536, got 0"));
  EXPECT_THAT(message("r", 8),
              HasSubstr("q_proj.lora_A.weight: expected shape [8, 128] by the configuration, got [4, 128]"));
  EXPECT_THAT(message("target_modules", {"q_proj"}), HasSubstr("k_proj.lora_A.weight: surplus"));
  EXPECT_THAT(message("target_parameters", {"mlp.experts.down_proj"}),
              HasSubstr("experts.base_layer.lora_A.weight: surplus"));
  EXPECT_THAT(message("target_modules", 3), HasSubstr("target_modules: expected a list of names, got 3"));
}

} // namespace
} // namespace maskjit
