// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Steps whose sequences attend shared prompts together, against the fp32 model, while sequences join and leave.
#include "model/DecodeStep.h"
#include "runtime/cache/CompileCounter.h"
#include "tests/model/GptOssFixture.h"
#include "tests/runtime/torch/GpuPresence.h"
#include <gtest/gtest.h>

namespace maskjit {
namespace {

constexpr int64_t kSlots = 12, kCapacity = 512;
constexpr int64_t kAnySaving = 1; // prompts of these tests are short

/// A model, its cache, and what the slots of it hold: sequences after one of several prompts.
struct Sequences {
  const GptOss &model;
  KvCache cache;
  std::vector<KvPrefix> prompts;

  Sequences(const GptOss &model, const std::vector<int64_t> &lengths) : model(model), cache(sizesOf(model)) {
    for (size_t prompt = 0; prompt < lengths.size(); ++prompt) {
      const int64_t length = lengths[prompt];
      cache.open(kSlots, length, length);
      Batch batch;
      batch.inputIds =
          (at::arange(length, at::kLong) * 37 + 11 * int64_t(prompt) + 5).unsqueeze(0) % model.config().vocabSize;
      batch.slots = {kSlots};
      model.forward(batch, &cache);
      prompts.push_back(cache.prefix(kSlots));
      cache.close(kSlots);
    }
  }
  static KvCache sizesOf(const GptOss &model) {
    KvCacheSizes sizes;
    sizes.slots = kSlots + 1, sizes.capacity = kCapacity; // one more to compute prompts in
    sizes.slidingTokens = 64 * kCapacity;
    return KvCache(model.config(), sizes, model.device(), model.dtype());
  }
  void open(int64_t slot, size_t prompt) { cache.open(slot, prompts[prompt], kCapacity); }
};

struct DecodeStepGpuSharing : testing::Test {
  void SetUp() override {
    if (!test::gpuPresent())
      GTEST_SKIP() << "needs a gpu";
    const at::Device gpu(at::kCUDA, 0);
    model = loadFixture("gpt-oss-tiny-mxfp4", gpu, at::kBFloat16), exact = loadFixture("gpt-oss-tiny-mxfp4");
  }

  struct Run {
    std::vector<at::Tensor> errors; // of each step's running slots
    std::vector<int64_t> together;  // slots that share, of each time somebody came or went
    std::vector<at::Tensor> logits; // of each step
    int64_t captures = 0, compiled = 0;
  };
  /// Three groups of different sizes over scattered slots, of which some end and make room for others.
  Run run(bool shares) const {
    const at::NoGradGuard guard;
    const std::vector<int64_t> lengths = {200, 5, 130, 300};
    Sequences tested(*model, lengths), wanted(*exact, lengths);
    SamplingOptions greedy;
    greedy.temperature = 0;
    DecodeStep step(*model, tested.cache, kSlots, greedy, shares);
    std::vector<bool> runs(kSlots, false);
    const auto open = [&](int64_t slot, size_t prompt) {
      tested.open(slot, prompt), wanted.open(slot, prompt);
      step.kvLength[slot].fill_(lengths[prompt]), step.tokens[slot].fill_(7 + 31 * slot), step.active[slot].fill_(1);
      runs[slot] = true;
    };
    const auto close = [&](int64_t slot) {
      tested.cache.close(slot), wanted.cache.close(slot);
      step.active[slot].fill_(0);
      runs[slot] = false;
    };
    Run result;
    const auto go = [&](int steps) {
      std::vector<int64_t> running;
      for (int64_t slot = 0; slot < kSlots; ++slot)
        if (runs[slot])
          running.push_back(slot);
      result.together.push_back(step.findSharedPrompts(running, kAnySaving));
      const at::Tensor rows = at::tensor(running, at::kLong).to(step.tokens.device());
      for (int i = 0; i < steps; ++i) {
        Batch next;
        next.inputIds = step.tokens.index_select(0, rows).to(at::kCPU, at::kLong).unsqueeze(1);
        next.slots = running;
        const at::Tensor want = exact->logits(exact->forward(next, &wanted.cache).last.squeeze(1)).to(rows.device());
        step.run();
        const at::Tensor got = step.logits.index_select(0, rows);
        result.errors.push_back(((got - want).norm(2, 1) / want.norm(2, 1)).to(at::kCPU));
        result.logits.push_back(got.clone());
        for (int64_t slot : running)
          tested.cache.advance(slot, 1);
      }
    };
    const std::pair<int64_t, size_t> first[] = {{0, 0}, {1, 2}, {3, 0}, {4, 1}, {5, 0},
                                                {7, 2}, {8, 3}, {9, 0}, {11, 0}};
    for (auto [slot, prompt] : first)
      open(slot, prompt);
    go(6);
    const int64_t compiled = compilations();
    close(3), close(7); // prompt 2 has one reader left
    go(4);
    open(3, 3), open(7, 3), open(10, 2); // in other places than those that left
    go(40);                              // past the window of 16
    for (int64_t slot : {0, 5, 9, 11, 3})
      close(slot);
    go(3);
    result.captures = step.captures(), result.compiled = compilations() - compiled;
    return result;
  }

  std::shared_ptr<GptOss> model, exact;
};

double quantile(const std::vector<at::Tensor> &errors, double q) {
  return at::quantile(at::cat(errors), q).item<double>();
}

TEST_F(DecodeStepGpuSharing, IsAsExactAsEachByItselfWhoeverJoinsAndLeaves) {
  const Run apart = run(false), together = run(true);
  EXPECT_EQ(apart.together, (std::vector<int64_t>{0, 0, 0, 0}));
  EXPECT_EQ(together.together, (std::vector<int64_t>{7, 4, 9, 4}));
  EXPECT_EQ(together.captures, 1);
  EXPECT_EQ(together.compiled, 0);
  // The bounds of the step's own test in bf16: a token whose router scores nearly tie may take another expert.
  EXPECT_LT(quantile(together.errors, 0.5), 0.03);
  EXPECT_LT(quantile(together.errors, 0.9), 0.10);
  EXPECT_LT(quantile(together.errors, 0.5), 1.2 * quantile(apart.errors, 0.5));
  EXPECT_FALSE(together.logits[0].equal(apart.logits[0])) << "sums in another order: the shared kernel did run";
}

TEST_F(DecodeStepGpuSharing, RepeatsBitForBit) {
  const Run one = run(true), other = run(true);
  for (size_t i = 0; i < one.logits.size(); ++i)
    EXPECT_TRUE(one.logits[i].equal(other.logits[i])) << "step " << i;
}

} // namespace
} // namespace maskjit
