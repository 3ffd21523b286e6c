// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model in fp32 on the CPU against transformers: logits, values inside, log-probabilities and gradients.
#include "model/GptOss.h"
#include "tests/model/GptOssFixture.h"
#include <gmock/gmock.h>

namespace maskjit {
namespace {

using testing::HasSubstr;

// The fixtures' README: what fp32 on the CPU keeps to.
constexpr double kLogits = 2e-4, kLogps = 2e-5, kGradients = 1e-4;

class TinyCheckpoint : public testing::TestWithParam<const char *> {
protected:
  std::string name = GetParam();
  TensorFile logits{"golden/" + name + "/logits.safetensors"};
};
INSTANTIATE_TEST_SUITE_P(Checkpoints, TinyCheckpoint, testing::Values("gpt-oss-tiny-bf16", "gpt-oss-tiny-mxfp4"));

TEST_P(TinyCheckpoint, GivesTheLogitsOfPaddedBatches) {
  at::NoGradGuard guard;
  const auto model = loadFixture(name);
  for (auto &[tensor, want] : logits.all()) {
    const size_t dot = tensor.find(".logits");
    if (dot == std::string::npos || want.dim() != 3 || tensor.substr(0, dot) == "packed")
      continue;
    const Batch batch = batchOf(logits, tensor.substr(0, dot));
    const at::Tensor got = model->logits(model->forward(batch).last).narrow(2, 0, want.size(2));
    EXPECT_LT(maxError(got, want, batch.attentionMask), kLogits) << tensor;
  }
}

TEST_P(TinyCheckpoint, GivesTheValuesInside) {
  at::NoGradGuard guard;
  const auto model = loadFixture(name);
  const int64_t row = logits["debug.sequence"].item<int64_t>();
  const Batch batch = batchOf(logits, "left");
  ForwardOptions options;
  options.routerLogits = options.layers = true;
  const HiddenStates got = model->forward(batch, nullptr, options);
  const at::Tensor mask = batch.attentionMask[row];
  for (int64_t layer = 0; layer < model->config().layers; ++layer) {
    const std::string end = "." + std::to_string(layer);
    EXPECT_LT(maxError(got.routerLogits[layer][row], logits["debug.router_logits" + end], mask), kLogits) << layer;
    if (logits.all().count("debug.hidden" + end)) {
      EXPECT_LT(maxError(got.layers[layer][row], logits["debug.hidden" + end], mask), kLogits) << layer;
    }
  }
}

TEST_P(TinyCheckpoint, GivesLogProbabilitiesAndGradients) {
  const TensorFile golden("golden/" + name + "/grads.safetensors");
  const auto model = loadFixture(name);
  std::map<std::string, at::Tensor> parameters;
  for (auto &[key, tensor] : model->parameters())
    parameters[key] = tensor.requires_grad_(true);
  const at::Tensor logps = completionLogps(*model, golden);
  EXPECT_LT(maxError(logps, golden["logps"], golden["completion_mask"]), kLogps);
  const at::Tensor loss = completionLoss(logps, golden);
  EXPECT_LT(maxError(loss, golden["loss"]), kLogps);
  loss.backward();
  int compared = 0;
  for (auto &[key, want] : golden.all()) {
    if (key.rfind("grad.", 0) != 0 || key == "grad.inputs_embeds")
      continue;
    const std::string parameter = key.substr(5, key.find('[') - 5);
    ASSERT_TRUE(parameters.count(parameter)) << parameter;
    const at::Tensor gradient = parameters[parameter].grad();
    ASSERT_TRUE(gradient.defined()) << parameter;
    EXPECT_LT(l2Error(gradient.narrow(0, 0, want.size(0)), want), kGradients) << key;
    ++compared;
  }
  EXPECT_GE(compared, 20);
  // The fixture has the gradient of each input's embedding; ours ends in the table, summed over equal ids.
  const Batch batch = completionBatch(golden);
  const at::Tensor rows = batch.attentionMask.flatten().nonzero().squeeze(1);
  const at::Tensor want = at::zeros({512, 128})
                              .index_add(0, batch.inputIds.flatten().index_select(0, rows),
                                         golden["grad.inputs_embeds"].flatten(0, 1).index_select(0, rows));
  EXPECT_LT(l2Error(parameters["model.embed_tokens.weight"].grad(), want), kGradients);
}

TEST(GptOss, GivesTheLogitsOfPackedRows) {
  at::NoGradGuard guard;
  const TensorFile file("golden/gpt-oss-tiny-bf16/logits.safetensors");
  const auto model = loadFixture("gpt-oss-tiny-bf16");
  Batch batch;
  batch.inputIds = file["packed.input_ids"];
  batch.documents = file["packed.document_ids"].to(at::kInt);
  EXPECT_LT(maxError(model->logits(model->forward(batch).last), file["packed.logits"]), kLogits);
  batch.positionIds = file["packed.position_ids"]; // the same as counted
  EXPECT_LT(maxError(model->logits(model->forward(batch).last), file["packed.logits"]), kLogits);
}

TEST(GptOss, GivesTheLogitsOfAnNf4Checkpoint) {
  at::NoGradGuard guard;
  const TensorFile file("golden/gpt-oss-tiny-nf4/logits.safetensors");
  const auto model = loadFixture("gpt-oss-tiny-nf4");
  Batch batch;
  batch.inputIds = file["input_ids"];
  EXPECT_LT(maxError(model->logits(model->forward(batch).last), file["logits"]), kLogits);
  const Matrix &q = model->weights().layers[0].qWeight;
  ASSERT_NE(q.nf4(), nullptr);
  EXPECT_TRUE(q.toDense(at::kFloat, false).equal(file["dequantized.model.layers.0.self_attn.q_proj"].to(at::kFloat)));
}

TEST(GptOss, DoesNotDependOnWhereThePaddingIs) {
  at::NoGradGuard guard;
  const TensorFile file("golden/gpt-oss-tiny-bf16/logits.safetensors");
  const auto model = loadFixture("gpt-oss-tiny-bf16");
  const Batch left = batchOf(file, "left"), right = batchOf(file, "right");
  const at::Tensor a = model->forward(left).last, b = model->forward(right).last;
  for (int64_t row = 0; row < 4; ++row) {
    const auto real = [&](const at::Tensor &hidden, const Batch &batch) {
      return hidden[row].index_select(0, batch.attentionMask[row].nonzero().squeeze(1));
    };
    EXPECT_TRUE(real(a, left).equal(real(b, right))) << "row " << row;
  }
}

TEST(GptOss, SavedAndLoadedAgainGivesTheSameLogits) {
  at::NoGradGuard guard;
  const auto model = loadFixture("gpt-oss-tiny-mxfp4");
  TemporaryFolder folder;
  model->save(folder.path, at::kBFloat16); // all of its weights are exact in bf16
  const auto again = GptOss::load(folder.path, at::kCPU, at::kFloat);
  EXPECT_EQ(again->config().eosTokenIds, model->config().eosTokenIds);
  Batch batch;
  batch.inputIds = at::arange(40, at::kLong).view({2, 20});
  EXPECT_TRUE(model->forward(batch).last.equal(again->forward(batch).last));
}

TEST(GptOss, RefusesBatchesThatDoNotFit) {
  const auto model = loadFixture("gpt-oss-tiny-bf16");
  Batch good;
  good.inputIds = at::ones({2, 4}, at::kLong);
  const auto message = [&](const Batch &batch) { return messageOf([&] { model->forward(batch); }); };
  EXPECT_EQ(message(good), "");
  Batch batch = good;
  batch.inputIds = at::full({2, 4}, 512, at::kLong);
  EXPECT_THAT(message(batch), HasSubstr("input_ids: expected ids in 0..511, got 512"));
  batch = good;
  batch.attentionMask = at::ones({2, 5}, at::kLong);
  EXPECT_THAT(message(batch), HasSubstr("attention_mask: expected the shape of input_ids, [2, 4], got [2, 5]"));
  batch.attentionMask = at::tensor({1, 0, 1, 1, 1, 1, 1, 1}, at::kLong).view({2, 4});
  EXPECT_THAT(message(batch), HasSubstr("in one piece, got 0 at row 0, column 1"));
  batch.attentionMask = at::zeros({2, 4}, at::kLong);
  EXPECT_THAT(message(batch), HasSubstr("there is no real token"));
  batch = good;
  batch.documents = at::tensor({0, 1, 0, 1}, at::kInt);
  EXPECT_THAT(message(batch),
              HasSubstr("document_ids: expected ascending ids in 0..268435455, got 0 at row 0, column 2"));
  KvCache cache(model->config(), 2, 3, at::kCPU, at::kFloat);
  EXPECT_THAT(messageOf([&] { model->forward(good, &cache); }),
              HasSubstr("has room for 3 tokens in slot 0 and holds 0; 4 more do not fit"));
}

TEST(GptOss, RefusesBfloat16OnTheCpu) {
  EXPECT_THAT(messageOf([] { loadFixture("gpt-oss-tiny-bf16", at::kCPU, at::kBFloat16); }),
              HasSubstr("float32 on the CPU, in bfloat16 or float16 on CUDA; got BFloat16 on cpu"));
}

} // namespace
} // namespace maskjit
