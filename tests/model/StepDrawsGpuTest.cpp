// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Filtered draws of the compiled step from a vocabulary of the released model's size, against the sampler.
#include "model/DecodeStep.h"
#include "tests/model/GptOssFixture.h"
#include "tests/runtime/torch/GpuPresence.h"
#include <cmath>
#include <gtest/gtest.h>

namespace maskjit {
namespace {

constexpr int64_t kVocabulary = 201088;

struct DecodeStepGpuDraws : testing::Test {
  void SetUp() override {
    if (!test::gpuPresent())
      GTEST_SKIP() << "needs a gpu";
    const at::Device gpu(at::kCUDA, 0);
    Config config = loadFixture("gpt-oss-tiny-mxfp4", gpu, at::kBFloat16)->config();
    config.vocabSize = kVocabulary;
    model = GptOss::randomPacked(config, gpu, at::kBFloat16, 1);
  }

  /// `steps` steps of `slots` sequences that begin with nothing; `look` sees the step, the sequences and their lengths.
  template <class Look> void run(int64_t slots, int steps, const SamplingOptions &options, Look look) {
    const at::NoGradGuard guard;
    KvCache cache(model->config(), slots, 64, model->device(), model->dtype());
    DecodeStep step(*model, cache, slots, options);
    const at::Tensor numbers = at::arange(slots, at::kLong) * 1000003 + 17;
    step.active.fill_(1), step.sequence.copy_(numbers);
    step.tokens.copy_(at::arange(slots, at::kInt) * 37 + 5);
    const std::vector<uint64_t> sequences(numbers.const_data_ptr<int64_t>(), numbers.const_data_ptr<int64_t>() + slots);
    for (int i = 0; i < steps; ++i) {
      step.run();
      look(step, sequences, std::vector<int64_t>(slots, i + 1));
    }
  }

  std::shared_ptr<GptOss> model;
};

TEST_F(DecodeStepGpuDraws, AreThoseOfTheSampler) {
  SamplingOptions topP, topK, both, all;
  topP.topP = 0.9;
  topK.topK = 50, topK.seed = 12345678901;
  both.topK = 50, both.topP = 0.9, both.temperature = 0.5;
  all.topK = 1000, all.topP = 0.8, all.minP = 0.1, all.repetitionPenalty = 1.2, all.seed = 9;
  for (const SamplingOptions &options : {topP, topK, both, all})
    for (int64_t slots : {1, 3, 40}) { // few slots: many blocks a row
      SCOPED_TRACE("top_k " + std::to_string(options.topK) + ", slots " + std::to_string(slots));
      int64_t equal = 0, draws = 0;
      at::Tensor seen;
      if (options.repetitionPenalty != 1)
        seen = at::zeros({slots, kVocabulary}, at::TensorOptions(at::kBool).device(model->device()));
      run(slots, 8, options, [&](const DecodeStep &step, const auto &sequences, const auto &positions) {
        const Sample want = sample(step.logits, options, sequences, positions, seen);
        const at::Tensor drawn = step.drawn.to(at::kCPU);
        for (int64_t slot = 0; slot < slots; ++slot, ++draws)
          equal += drawn[slot].item<int64_t>() == want.tokens[slot];
        const at::Tensor rows = (step.logits / options.temperature).log_softmax(1);
        EXPECT_LT((rows.gather(1, step.drawn.to(at::kLong).unsqueeze(1)).squeeze(1) - step.logProbs)
                      .abs()
                      .max()
                      .item<float>(),
                  1e-4);
        if (seen.defined())
          seen.scatter_(1, step.drawn.to(at::kLong).unsqueeze(1), true);
      });
      // The sampler's sums are rounded, and a token of a flat distribution is about as wide as their error.
      EXPECT_GE(equal, options.topK == 0 ? draws * 0.9 : draws);
    }
}

/// All tokens lie in one bin of the search until it comes to their numbers.
TEST_F(DecodeStepGpuDraws, EqualLogitsGoByTheirNumbers) {
  {
    const at::NoGradGuard guard;
    model->weights().head.dense().zero_();
  }
  SamplingOptions half, first, least;
  half.topP = 0.5, first.topK = 1000, least.minP = 1;
  const std::pair<SamplingOptions, double> cases[] = {{half, 0.5 * kVocabulary}, {first, 1000}, {least, kVocabulary}};
  for (const auto &[options, kept] : cases)
    for (int64_t slots : {1, 40})
      run(slots, 3, options, [&, kept = kept](const DecodeStep &step, const auto &sequences, const auto &positions) {
        const at::Tensor drawn = step.drawn.to(at::kCPU);
        for (int64_t slot = 0; slot < slots; ++slot)
          EXPECT_NEAR(drawn[slot].item<double>(), uniform(0, sequences[slot], positions[slot]) * kept, 1.5);
        EXPECT_LT((step.logProbs + std::log(double(kVocabulary))).abs().max().item<double>(), 1e-4);
      });
}

} // namespace
} // namespace maskjit
