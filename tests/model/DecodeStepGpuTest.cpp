// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The compiled decode step against the model's forward pass with a cache, on a GPU.
#include "model/DecodeStep.h"
#include "model/FromWeights.h"
#include "model/QuantizeNf4.h"
#include "runtime/cache/CompileCounter.h"
#include "tests/model/StepComparison.h"
#include "tests/runtime/torch/GpuPresence.h"
#include <gtest/gtest.h>

namespace maskjit {
namespace {

constexpr int64_t kSlots = 4;

at::Tensor ints(const std::vector<int64_t> &values, at::ScalarType dtype = at::kInt) {
  return at::tensor(values, at::kLong).to(at::Device(at::kCUDA, 0), dtype);
}

struct DecodeStepGpu : testing::Test {
  void SetUp() override {
    if (!test::gpuPresent())
      GTEST_SKIP() << "needs a gpu";
    model = loadFixture("gpt-oss-tiny-mxfp4", at::Device(at::kCUDA, 0), at::kBFloat16);
  }

  /// Prompts of 3, 7, 12 and 21 tokens into the slots of `cache`.
  void prefill(KvCache &cache) {
    const at::NoGradGuard guard;
    Batch batch;
    batch.inputIds = at::zeros({kSlots, 21}, at::kLong), batch.attentionMask = at::zeros_like(batch.inputIds);
    for (int64_t slot = 0; slot < kSlots; ++slot)
      for (int64_t i = 0; i < lengths[slot]; ++i) {
        batch.inputIds[slot][i] = (37 * i + 11 * slot + 5) % model->config().vocabSize;
        batch.attentionMask[slot][i] = 1;
      }
    model->forward(batch, &cache);
  }

  /// Every slot goes on with its own first token.
  void start(DecodeStep &step) {
    step.tokens.copy_(ints({7, 100, 300, 501})), step.kvLength.copy_(ints(lengths));
    step.active.fill_(1), step.sequence.copy_(ints({90, 4, 2, 77}, at::kLong));
  }

  at::Tensor forward(const at::Tensor &tokens, KvCache &cache) {
    Batch next;
    next.inputIds = tokens.to(at::kCPU, at::kLong).unsqueeze(1);
    return model->logits(model->forward(next, &cache).last.squeeze(1));
  }

  std::shared_ptr<GptOss> model;
  const std::vector<int64_t> lengths = {3, 7, 12, 21};
};

/// The bounds of the model's own test in bf16: a token whose router scores nearly tie may take another expert.
void expectClose(const std::vector<at::Tensor> &errors) {
  const at::Tensor all = at::cat(errors).to(at::kCPU);
  EXPECT_LT(at::quantile(all, 0.5).item<double>(), 0.03);
  EXPECT_LT(at::quantile(all, 0.9).item<double>(), 0.10);
}

TEST_F(DecodeStepGpu, LogitsAreThoseOfTheForwardPass) {
  const at::NoGradGuard guard;
  for (const char *fixture : {"gpt-oss-tiny-mxfp4", "gpt-oss-tiny-bf16", "gpt-oss-tiny-nf4"}) {
    SCOPED_TRACE(fixture);
    model = loadFixture(fixture, at::Device(at::kCUDA, 0), at::kBFloat16);
    KvCache cache(model->config(), kSlots, 128, model->device(), model->dtype()),
        other(model->config(), kSlots, 128, model->device(), model->dtype());
    prefill(cache), prefill(other);
    SamplingOptions greedy;
    greedy.temperature = 0;
    DecodeStep step(*model, cache, kSlots, greedy);
    start(step);
    std::vector<at::Tensor> errors;
    for (int i = 0; i < 60; ++i) { // past the window of 16, so that the sliding layers' rings turn
      const at::Tensor want = forward(step.tokens, other);
      step.run();
      errors.push_back((step.logits - want).norm(2, 1) / want.norm(2, 1));
      EXPECT_TRUE(step.drawn.equal(step.logits.argmax(1).to(at::kInt)));
      EXPECT_TRUE(step.tokens.equal(step.drawn));
      const at::Tensor logProbs =
          step.logits.log_softmax(1).gather(1, step.drawn.to(at::kLong).unsqueeze(1)).squeeze(1);
      EXPECT_LT((step.logProbs - logProbs).abs().max().item<float>(), 1e-4);
    }
    EXPECT_TRUE(step.kvLength.equal(ints({63, 67, 72, 81})));
    expectClose(errors);
  }
}

/// Experts with 16-bit weights take 8 tokens a launch.
TEST_F(DecodeStepGpu, ManySlotsOverDenseExpertsAreGroups) {
  const at::NoGradGuard guard;
  model = loadFixture("gpt-oss-tiny-bf16", at::Device(at::kCUDA, 0), at::kBFloat16);
  constexpr int64_t kMany = 19;
  KvCache cache(model->config(), kMany, 64, model->device(), model->dtype()),
      other(model->config(), kMany, 64, model->device(), model->dtype());
  Batch batch;
  batch.inputIds = (at::arange(kMany * 5, at::kLong).view({kMany, 5}) * 37 + 11) % model->config().vocabSize;
  model->forward(batch, &cache), model->forward(batch, &other);
  SamplingOptions greedy;
  greedy.temperature = 0;
  DecodeStep step(*model, cache, kMany, greedy);
  step.tokens.copy_(at::arange(kMany).to(step.tokens.device(), at::kInt)), step.kvLength.fill_(5), step.active.fill_(1);
  std::vector<at::Tensor> errors;
  for (int i = 0; i < 10; ++i) {
    const at::Tensor want = forward(step.tokens, other);
    step.run();
    errors.push_back((step.logits - want).norm(2, 1) / want.norm(2, 1));
  }
  expectClose(errors);
}

TEST_F(DecodeStepGpu, ReadsNf4AttentionAndHead) {
  const at::NoGradGuard guard;
  const at::Device gpu(at::kCUDA, 0);
  for (int64_t slots : {kSlots, int64_t(12), int64_t(20)}) { // each class of rows
    SCOPED_TRACE(slots);
    LoadOptions options;
    options.nf4Attention = true;
    const auto loaded = GptOss::load(fixture("gpt-oss-tiny-mxfp4"), gpu, at::kBFloat16, options);
    Weights weights = loaded->weights();
    weights.head = quantizeNf4(weights.head.dense());
    model = fromWeights(loaded->config(), weights, gpu, at::kBFloat16);
    ASSERT_EQ(DecodeStep::refusal(*model), "");
    KvCache cache(model->config(), slots, 64, gpu, model->dtype()),
        other(model->config(), slots, 64, gpu, model->dtype());
    Batch batch;
    batch.inputIds = (at::arange(slots * 5, at::kLong).view({slots, 5}) * 37 + 11) % model->config().vocabSize;
    model->forward(batch, &cache), model->forward(batch, &other);
    SamplingOptions greedy;
    greedy.temperature = 0;
    DecodeStep step(*model, cache, slots, greedy);
    step.tokens.copy_(at::arange(slots).to(gpu, at::kInt)), step.kvLength.fill_(5), step.active.fill_(1);
    std::vector<at::Tensor> errors;
    for (int i = 0; i < 20; ++i) {
      const at::Tensor want = forward(step.tokens, other);
      step.run();
      errors.push_back((step.logits - want).norm(2, 1) / want.norm(2, 1));
    }
    expectClose(errors);
  }
}

TEST_F(DecodeStepGpu, DrawsAreThoseOfTheSampler) {
  const at::NoGradGuard guard;
  SamplingOptions plain, filtered, penalised;
  plain.seed = 12345678901;
  filtered.seed = 3, filtered.temperature = 0.7, filtered.topK = 40, filtered.topP = 0.9, filtered.minP = 0.02;
  penalised.seed = 4, penalised.repetitionPenalty = 1.3;
  for (const SamplingOptions &options : {plain, filtered, penalised}) {
    KvCache cache(model->config(), kSlots, 128, model->device(), model->dtype());
    prefill(cache);
    DecodeStep step(*model, cache, kSlots, options);
    start(step);
    at::Tensor seen;
    if (options.repetitionPenalty != 1)
      seen = at::zeros({kSlots, model->config().vocabSize}, at::TensorOptions(at::kBool).device(model->device()));
    std::vector<int64_t> positions = lengths;
    for (int i = 0; i < 30; ++i) {
      step.run();
      for (int64_t &position : positions)
        ++position;
      const Sample want = sample(step.logits, options, {90, 4, 2, 77}, positions, seen);
      EXPECT_TRUE(step.drawn.equal(ints(want.tokens))) << "step " << i << ", top_k " << options.topK;
      for (int64_t slot = 0; slot < kSlots; ++slot)
        EXPECT_NEAR(step.logProbs[slot].item<float>(), want.logProbs[slot], 1e-4);
      if (seen.defined())
        seen.scatter_(1, step.drawn.to(at::kLong).unsqueeze(1), true);
    }
  }
}

TEST_F(DecodeStepGpu, OneGraphServesAThousandStepsOfChangingSlots) {
  const at::NoGradGuard guard;
  KvCache cache(model->config(), kSlots, 1100, model->device(), model->dtype());
  DecodeStep step(*model, cache, kSlots, {});
  start(step);
  step.kvLength.zero_();
  step.run();
  const int64_t compiled = compilations();
  for (int i = 1; i < 1000; ++i) {
    if (i % 100 == 0) { // slot 1 leaves, and comes again as another sequence
      step.active[1].fill_(i / 100 % 2);
      step.kvLength[1].zero_(), step.sequence[1].fill_(1000 + i);
    }
    step.run();
  }
  EXPECT_EQ(step.captures(), 1);
  EXPECT_EQ(compilations(), compiled);
  EXPECT_TRUE(step.kvLength.equal(ints({1000, 100, 1000, 1000}))) << step.kvLength;
  EXPECT_TRUE(step.logits.isfinite().all().item<bool>());
}

TEST_F(DecodeStepGpu, AnEmptySlotKeepsWhatItHasAndChangesNothingForOthers) {
  const at::NoGradGuard guard;
  std::vector<at::Tensor> logits;
  for (const std::vector<int64_t> &active : {std::vector<int64_t>{1, 1, 1, 1}, {1, 0, 0, 1}}) {
    KvCache cache(model->config(), kSlots, 128, model->device(), model->dtype());
    prefill(cache);
    DecodeStep step(*model, cache, kSlots, {});
    start(step);
    step.active.copy_(ints(active));
    const at::Tensor page = cache.pageTable(1).select(0, 1).select(0, 0);
    const at::Tensor before = cache.k[1][page.item<int>()].clone();
    for (int i = 0; i < 5; ++i)
      step.run();
    logits.push_back(step.logits.index_select(0, ints({0, 3}, at::kLong)).clone());
    const at::Tensor after = cache.k[1][page.item<int>()];
    EXPECT_EQ(after.equal(before), active[1] == 0);
    EXPECT_EQ(step.kvLength[1].item<int>(), active[1] ? 12 : 7);
    EXPECT_EQ(step.tokens[1].item<int>() == 100, active[1] == 0);
  }
  EXPECT_TRUE(logits[0].equal(logits[1])) << "bit for bit, whatever shares the batch";
}

TEST_F(DecodeStepGpu, AnAdapterGivesTheLogitsOfTheForwardPass) {
  const LoraConfig adapters[] = {
      adapterOf(8, {"q_proj", "k_proj", "v_proj", "o_proj"}, {"mlp.experts.gate_up_proj", "mlp.experts.down_proj"}),
      adapterOf(40, {"k_proj", "layers.1.self_attn.o_proj"}, {}), adapterOf(20, {}, {"mlp.experts.gate_up_proj"}),
      adapterOf(128, {"q_proj"}, {"layers.1.mlp.experts.down_proj"}),
      adapterOf(130, {}, {"layers.1.mlp.experts.down_proj"})}; // grouped kernels, whatever the number of slots
  const auto exact = loadFixture("gpt-oss-tiny-mxfp4"),
             plain = loadFixture("gpt-oss-tiny-mxfp4", model->device(), model->dtype());
  for (const LoraConfig &adapter : adapters)
    for (int64_t slots : {1, 3, 8, 13, 32}) {
      SCOPED_TRACE("rank " + std::to_string(adapter.rank) + ", slots " + std::to_string(slots));
      model->adapter = randomAdapter(*model, adapter, 5), exact->adapter = randomAdapter(*exact, adapter, 5);
      ASSERT_EQ(DecodeStep::refusal(*model), "");
      const Comparison c(*model, {model.get(), exact.get(), plain.get()}, slots, 12);
      EXPECT_LT(median(c.errors[0]), 0.03);
      EXPECT_LT(median(c.errors[1]), 0.03) << "against fp32";
      EXPECT_GT(median(c.errors[2]), 0.06) << "without the adapter";
      EXPECT_TRUE(c.logits.equal(Comparison(*model, {}, slots, 12).logits)) << "repeats bit for bit";
    }
}

TEST_F(DecodeStepGpu, ComputesAtTheSizesOfTheReleasedModelWithAnAdapterAndWithout) {
  Config config = model->config();
  config.hiddenSize = config.intermediateSize = 2880, config.headsQ = 64, config.headsKv = 8, config.headDim = 64;
  config.vocabSize = 2048;
  config.experts = config.expertsPerToken = 4; // all of them: no near tie of scores makes other choices
  const auto large = GptOss::randomPacked(config, model->device(), at::kBFloat16, 1);
  const std::pair<int64_t, std::vector<int64_t>> ranks[] = {{0, {1, 3, 8, 40, 150, 280}},
                                                            {16, {1, 2, 4, 8, 12, 32}},
                                                            {80, {8, 20, 72, 200}}}; // and slots: each class of rows
  for (const auto &[rank, allSlots] : ranks) {
    large->adapter =
        rank ? randomAdapter(*large, adapterOf(rank, LoraConfig().targetModules, LoraConfig().targetParameters), 3)
             : nullptr;
    for (int64_t slots : allSlots) {
      SCOPED_TRACE("rank " + std::to_string(rank) + ", slots " + std::to_string(slots));
      const Comparison c(*large, {large.get()}, slots, 20);
      EXPECT_LT(median(c.errors[0]), 0.03);
      EXPECT_TRUE(c.logits.equal(Comparison(*large, {}, slots, 20).logits)) << "repeats bit for bit";
    }
  }
}

TEST_F(DecodeStepGpu, ChangedFactorsAreTakenWithoutACapture) {
  const at::NoGradGuard guard;
  const LoraConfig all = adapterOf(8, LoraConfig().targetModules, LoraConfig().targetParameters);
  const auto run = [&](DecodeStep &step) {
    start(step);
    step.kvLength.zero_();
    for (int i = 0; i < 5; ++i)
      step.run();
    return step.logits.clone();
  };
  const auto fresh = [&] {
    KvCache cache(model->config(), kSlots, 64, model->device(), model->dtype());
    DecodeStep step(*model, cache, kSlots, {});
    return run(step);
  };
  model->adapter = randomAdapter(*model, all, 1);
  KvCache cache(model->config(), kSlots, 64, model->device(), model->dtype());
  DecodeStep step(*model, cache, kSlots, {});
  const at::Tensor first = run(step);
  EXPECT_TRUE(first.equal(fresh()));
  const auto other = randomAdapter(*model, all, 2);
  for (size_t i = 0; i < other->parameters().size(); ++i)
    model->adapter->parameters()[i].second.copy_(other->parameters()[i].second);
  step.refreshAdapter();
  const at::Tensor second = run(step);
  EXPECT_TRUE(second.equal(fresh()));
  EXPECT_FALSE(second.equal(first));
  model->adapterEnabled = false;
  step.refreshAdapter();
  // A step that never had an adapter takes other kernels, which add up in another order.
  EXPECT_LT(distances(run(step), fresh()).max().item<double>(), 1e-2);
  EXPECT_EQ(step.captures(), 1);
  model->adapterEnabled = true;
  model->adapter = randomAdapter(*model, adapterOf(16, all.targetModules, {}), 1);
  EXPECT_THROW(step.refreshAdapter(), std::runtime_error);
}

TEST_F(DecodeStepGpu, RefusesWhatItCannotRun) {
  const auto host = loadFixture("gpt-oss-tiny-bf16", at::kCPU, at::kFloat);
  EXPECT_EQ(DecodeStep::refusal(*host), "the decode step is for CUDA, the model is on cpu");
  EXPECT_EQ(DecodeStep::refusal(*model), "");
  EXPECT_EQ(DecodeStep::refusal(*model, /*batchInvariant=*/true), "");
  const auto dense = loadFixture("gpt-oss-tiny-bf16", model->device(), at::kBFloat16);
  EXPECT_EQ(DecodeStep::refusal(*dense, /*batchInvariant=*/true),
            "sums over experts that are dense or in NF4 are cut by how many experts a batch takes; the forward pass is "
            "batch-invariant");
}

} // namespace
} // namespace maskjit
