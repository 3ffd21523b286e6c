// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The compiled decode step over weights in every format, with an adapter and without, against the forward pass.
#include "model/FromWeights.h"
#include "model/QuantizeNf4.h"
#include "tests/model/StepComparison.h"
#include "tests/runtime/torch/GpuPresence.h"
#include <gtest/gtest.h>

namespace maskjit {
namespace {

const at::Device kGpu(at::kCUDA, 0);

struct DecodeStepGpuFormats : testing::Test {
  void SetUp() override {
    if (!test::gpuPresent())
      GTEST_SKIP() << "needs a gpu";
  }
};

/// The bounds of the model's own test in bf16.
void expectTheForwardPass(const GptOss &model, int64_t slots, int steps) {
  ASSERT_EQ(DecodeStep::refusal(model), "");
  const Comparison c(model, {&model}, slots, steps);
  EXPECT_LT(median(c.errors[0]), 0.03);
  EXPECT_TRUE(c.logits.equal(Comparison(model, {}, slots, steps).logits)) << "repeats bit for bit";
}

const std::vector<std::string> kAttention = {"q_proj", "k_proj", "v_proj", "o_proj"},
                               kExperts = {"mlp.experts.gate_up_proj", "mlp.experts.down_proj"};

TEST_F(DecodeStepGpuFormats, AdaptersOverNf4Attention) {
  LoadOptions options;
  options.nf4Attention = true;
  const auto model = GptOss::load(fixture("gpt-oss-tiny-mxfp4"), kGpu, at::kBFloat16, options),
             plain = GptOss::load(fixture("gpt-oss-tiny-mxfp4"), kGpu, at::kBFloat16, options);
  for (const LoraConfig &adapter : {adapterOf(8, kAttention, kExperts), adapterOf(300, {"k_proj", "o_proj"}, {})})
    for (int64_t slots : {3, 13, 40}) { // each class of rows, the last of more than a block has
      SCOPED_TRACE("rank " + std::to_string(adapter.rank) + ", slots " + std::to_string(slots));
      model->adapter = randomAdapter(*model, adapter, 5);
      expectTheForwardPass(*model, slots, 12);
      EXPECT_GT(median(Comparison(*model, {plain.get()}, slots, 12).errors[0]), 0.06) << "without the adapter";
    }
}

TEST_F(DecodeStepGpuFormats, ExpertsInNf4) {
  for (bool nested : {false, true})
    for (int64_t slots : {1, 8, 19}) {
      SCOPED_TRACE((nested ? "nested, slots " : "slots ") + std::to_string(slots));
      LoadOptions options;
      options.nf4Experts = true;
      auto model = GptOss::load(fixture("gpt-oss-tiny-bf16"), kGpu, at::kBFloat16, options);
      if (!nested) { // the same numbers with absmax in fp32
        Weights weights = model->weights();
        for (LayerWeights &layer : weights.layers)
          for (Matrix *matrix : {&layer.gateUp, &layer.down}) {
            Nf4 weight = *matrix->nf4();
            weight.absmax = blockScales(weight);
            weight.nestedTable = weight.nestedAbsmax = weight.nestedOffset = at::Tensor();
            *matrix = Matrix(weight);
          }
        model = fromWeights(model->config(), weights, kGpu, at::kBFloat16);
      }
      expectTheForwardPass(*model, slots, 20);
    }
}

TEST_F(DecodeStepGpuFormats, AdaptersOverExpertsThatAreDenseOrInNf4) {
  for (bool nf4 : {false, true}) {
    LoadOptions options;
    options.nf4Experts = nf4;
    const auto model = GptOss::load(fixture("gpt-oss-tiny-bf16"), kGpu, at::kBFloat16, options),
               plain = GptOss::load(fixture("gpt-oss-tiny-bf16"), kGpu, at::kBFloat16, options);
    for (const LoraConfig &adapter :
         {adapterOf(8, kAttention, kExperts), adapterOf(144, {}, {"layers.1." + kExperts[1]})})
      for (int64_t slots : {3, 19}) {
        SCOPED_TRACE((nf4 ? "NF4, rank " : "dense, rank ") + std::to_string(adapter.rank) + ", slots " +
                     std::to_string(slots));
        model->adapter = randomAdapter(*model, adapter, 5);
        expectTheForwardPass(*model, slots, 12);
        EXPECT_GT(median(Comparison(*model, {plain.get()}, slots, 12).errors[0]), 0.03) << "without the adapter";
      }
  }
}

/// Two layers of the released sizes, of four experts that all tokens take: no near tie of scores makes other choices.
TEST_F(DecodeStepGpuFormats, AtTheSizesOfTheReleasedModel) {
  Config config = loadFixture("gpt-oss-tiny-mxfp4")->config();
  config.hiddenSize = config.intermediateSize = 2880, config.headsQ = 64, config.headsKv = 8, config.headDim = 64;
  config.vocabSize = 2048, config.experts = config.expertsPerToken = 4;
  config.layers = 2, config.sliding.resize(2);
  for (bool nf4 : {false, true}) {
    Weights weights = randomPackedWeights(config, kGpu, at::kBFloat16, 1);
    for (LayerWeights &layer : weights.layers) {
      for (Matrix *matrix : {&layer.gateUp, &layer.down}) {
        const at::Tensor values = at::empty({config.experts, matrix->inputs(), matrix->outputs()},
                                            at::TensorOptions(at::kBFloat16).device(kGpu))
                                      .normal_(0, config.initializerRange);
        std::vector<Nf4> stack;
        for (int64_t e = 0; nf4 && e < config.experts; ++e)
          stack.push_back(quantizeNf4(values[e].t()));
        *matrix = nf4 ? Matrix(stackNf4(stack)) : Matrix(values);
      }
      for (Matrix *matrix : {&layer.qWeight, &layer.kWeight, &layer.vWeight, &layer.oWeight})
        *matrix = Matrix(quantizeNf4(matrix->dense()));
    }
    const auto model = fromWeights(config, weights, kGpu, at::kBFloat16);
    for (int64_t rank : {0, 16, 64})
      for (int64_t slots : {2, 32}) {
        SCOPED_TRACE((nf4 ? "NF4, rank " : "dense, rank ") + std::to_string(rank) + ", slots " + std::to_string(slots));
        model->adapter = rank ? randomAdapter(*model, adapterOf(rank, kAttention, kExperts), 3) : nullptr;
        expectTheForwardPass(*model, slots, 12);
      }
  }
}

} // namespace
} // namespace maskjit
