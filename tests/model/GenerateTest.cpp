// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Generation: greedy tokens of transformers, decode against prefill and training, independence of the batch, stops.
#include "model/Generate.h"
#include "runtime/cache/CompileCounter.h"
#include "tests/model/GptOssFixture.h"
#include <gmock/gmock.h>

namespace maskjit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Prompts = std::vector<std::vector<int64_t>>;

/// The rows of a padded batch without their padding.
Prompts promptsOf(const Batch &batch) {
  Prompts prompts;
  for (int64_t row = 0; row < batch.inputIds.size(0); ++row) {
    const at::Tensor real =
        batch.inputIds[row].index_select(0, batch.attentionMask[row].nonzero().squeeze(1)).contiguous();
    prompts.emplace_back(real.const_data_ptr<int64_t>(), real.const_data_ptr<int64_t>() + real.numel());
  }
  return prompts;
}

class TinyGeneration : public testing::TestWithParam<const char *> {
protected:
  std::string name = GetParam();
  std::shared_ptr<GptOss> model = loadFixture(name);
  TensorFile golden{"golden/" + name + "/logits.safetensors"};
  Prompts prompts = promptsOf(batchOf(golden, "generate"));
};
INSTANTIATE_TEST_SUITE_P(Checkpoints, TinyGeneration, testing::Values("gpt-oss-tiny-bf16", "gpt-oss-tiny-mxfp4"));

TEST_P(TinyGeneration, GreedyTokensAreTransformers) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.maxNewTokens = 40;
  options.ignoreStops = true;
  const std::vector<Generation> got = generate(*model, prompts, options);
  for (size_t row = 0; row < got.size(); ++row)
    EXPECT_TRUE(at::tensor(got[row].tokens, at::kLong).equal(golden["generate.new_ids"][row])) << "row " << row;
}

TEST_P(TinyGeneration, DecodeStepsGiveTheLogitsOfTransformersAndOfOnePass) {
  at::NoGradGuard guard;
  const at::Tensor newIds = golden["generate.new_ids"].narrow(0, 0, 1), want = golden["generate.logits_of_sequence_0"];
  Batch prompt;
  prompt.inputIds = at::tensor(prompts[0], at::kLong).unsqueeze(0);
  const int64_t length = prompt.inputIds.size(1), steps = newIds.size(1);
  KvCache cache(model->config(), 1, length + steps, at::kCPU, at::kFloat);
  std::vector<at::Tensor> logits = {model->logits(model->forward(prompt, &cache).last.narrow(1, length - 1, 1))};
  for (int64_t step = 0; step + 1 < steps; ++step) {
    Batch next;
    next.inputIds = newIds.narrow(1, step, 1);
    logits.push_back(model->logits(model->forward(next, &cache).last));
  }
  const at::Tensor decoded = at::cat(logits, 1).squeeze(0);
  EXPECT_LT(maxError(decoded, want), 2e-4); // the fixtures' README
  Batch all;
  all.inputIds = at::cat({prompt.inputIds, newIds}, 1);
  const at::Tensor passed = model->logits(model->forward(all).last)[0].narrow(0, length - 1, steps);
  EXPECT_LT(maxError(decoded, passed), 1e-5); // what sampler and trainer may differ by
}

TEST_P(TinyGeneration, ChunksOfAPromptGiveTheSame) {
  at::NoGradGuard guard;
  Batch whole;
  whole.inputIds = at::tensor(prompts[0], at::kLong).unsqueeze(0);
  const int64_t length = whole.inputIds.size(1);
  KvCache cache(model->config(), 1, length, at::kCPU, at::kFloat);
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < length; begin += 7) {
    Batch chunk;
    chunk.inputIds = whole.inputIds.narrow(1, begin, std::min<int64_t>(7, length - begin));
    parts.push_back(model->forward(chunk, &cache).last);
  }
  EXPECT_LT(maxError(at::cat(parts, 1), model->forward(whole).last), 1e-5);
}

struct BfGeneration : testing::Test {
  std::shared_ptr<GptOss> model = loadFixture("gpt-oss-tiny-bf16");
  TensorFile golden{"golden/gpt-oss-tiny-bf16/logits.safetensors"};
  Prompts prompts = promptsOf(batchOf(golden, "generate"));
};

TEST_F(BfGeneration, ASequenceDoesNotDependOnItsBatch) {
  GenerateOptions options;
  options.maxNewTokens = 20;
  options.ignoreStops = true;
  options.sampling.seed = 11;
  prompts.push_back(prompts[1]); // computed once, drawn from apart
  const std::vector<Generation> together = generate(*model, prompts, options);
  for (size_t row = 0; row < prompts.size(); ++row) {
    options.sequences = {row};
    const Generation alone = generate(*model, {prompts[row]}, options)[0];
    EXPECT_EQ(alone.tokens, together[row].tokens) << "row " << row;
  }
  EXPECT_NE(together[1].tokens, together.back().tokens);
}

TEST_F(BfGeneration, LogProbabilitiesAreTheTrainers) {
  at::NoGradGuard guard;
  GenerateOptions options;
  options.maxNewTokens = 24;
  options.ignoreStops = true;
  options.sampling.temperature = 0.7;
  const std::vector<Generation> drawn = generate(*model, prompts, options);
  for (size_t row = 0; row < drawn.size(); ++row) {
    Batch batch;
    const at::Tensor tokens = at::tensor(drawn[row].tokens, at::kLong);
    batch.inputIds = at::cat({at::tensor(prompts[row], at::kLong), tokens}).unsqueeze(0);
    const at::Tensor hidden = model->forward(batch).last[0].narrow(0, prompts[row].size() - 1, tokens.size(0));
    const at::Tensor logps = (model->logits(hidden) / 0.7).log_softmax(-1).gather(1, tokens.unsqueeze(1)).squeeze(1);
    EXPECT_LT((logps - at::tensor(drawn[row].logProbs)).abs().max().item<double>(), 1e-5) << "row " << row;
  }
}

TEST_F(BfGeneration, CompilesNothingAfterTheFirstOfEachStructure) {
  const auto random = [](int64_t rows, int64_t length) { return at::randint(0, 500, {rows, length}, at::kLong); };
  GenerateOptions options;
  options.maxNewTokens = 2;
  options.ignoreStops = true;
  generate(*model, prompts, options);
  Batch batch;
  batch.inputIds = random(2, 5);
  model->forward(batch);
  const int64_t before = compilations();
  EXPECT_GT(before, 0);
  options.maxNewTokens = 1000;
  generate(*model, {prompts[0]}, options);
  options.maxNewTokens = 3;
  for (int64_t rows : {1, 2, 5, 9})
    for (int64_t length : {1, 17, 40}) {
      batch.inputIds = random(rows, length);
      batch.attentionMask = at::ones({rows, length}, at::kLong);
      batch.attentionMask[rows - 1].narrow(0, 0, length / 2).zero_();
      model->forward(batch);
      generate(*model, Prompts(rows, std::vector<int64_t>(length, 7)), options);
    }
  EXPECT_EQ(compilations(), before);
}

TEST_F(BfGeneration, StopsAtAStopTokenAndKeepsIt) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.maxNewTokens = 40;
  const at::Tensor want = golden["generate.new_ids"];
  const int64_t stop = want[1][5].item<int64_t>();
  options.stopTokens = {stop};
  const std::vector<Generation> got = generate(*model, prompts, options);
  for (size_t row = 0; row < got.size(); ++row) {
    std::vector<int64_t> expected;
    for (int64_t i = 0; i < 40 && (expected.empty() || expected.back() != stop); ++i)
      expected.push_back(want[row][i].item<int64_t>());
    EXPECT_EQ(got[row].tokens, expected) << "row " << row;
    EXPECT_EQ(got[row].finished, expected.back() == stop) << "row " << row;
    EXPECT_EQ(got[row].logProbs.size(), expected.size());
  }
  EXPECT_TRUE(got[1].finished);
  EXPECT_LE(got[1].tokens.size(), 6u);
}

TEST_F(BfGeneration, TheCallbackSeesEveryTokenAndMayEndIt) {
  GenerateOptions options;
  options.maxNewTokens = 5;
  options.ignoreStops = true;
  std::vector<std::vector<int64_t>> streamed(prompts.size());
  const auto all = generate(*model, prompts, options, [&](size_t prompt, int64_t token, float) {
    streamed[prompt].push_back(token);
    return true;
  });
  for (size_t row = 0; row < prompts.size(); ++row)
    EXPECT_EQ(streamed[row], all[row].tokens);
  int calls = 0;
  const auto cut = generate(*model, prompts, options, [&](size_t, int64_t, float) { return ++calls < 6; });
  EXPECT_EQ(calls, 6); // the second of the second step
  EXPECT_EQ(cut[0].tokens.size(), 2u);
}

TEST_F(BfGeneration, APenaltyAvoidsWhatWasSaid) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.sampling.repetitionPenalty = 1e6; // seen tokens of positive logit fall to 0, others far below
  options.maxNewTokens = 30;
  options.ignoreStops = true;
  std::vector<int64_t> all = prompts[0];
  const Generation got = generate(*model, {prompts[0]}, options)[0];
  for (int64_t token : got.tokens) {
    EXPECT_EQ(std::count(all.begin(), all.end(), token), 0) << token;
    all.push_back(token);
  }
}

TEST_F(BfGeneration, RefusesPromptsAndOptionsThatDoNotFit) {
  const auto message = [&](const Prompts &prompts, const GenerateOptions &options) {
    return messageOf([&] { generate(*model, prompts, options); });
  };
  EXPECT_TRUE(generate(*model, {}, {}).empty());
  EXPECT_THAT(message({{1}, {}}, {}), HasSubstr("prompt 1 is empty"));
  EXPECT_THAT(message({{1, 512}}, {}), HasSubstr("prompt 0 holds the id 512; the vocabulary has 512"));
  GenerateOptions options;
  options.maxNewTokens = 0;
  EXPECT_THAT(message({{1}}, options), HasSubstr("max_new_tokens: expected at least 1, got 0"));
  options.maxNewTokens = 131072;
  EXPECT_THAT(message({{1}}, options), HasSubstr("more than max_position_embeddings (131072)"));
  options.maxNewTokens = 1, options.sequences = {1, 2};
  EXPECT_THAT(message({{1}}, options), HasSubstr("sequences: expected a number for each of 1 prompts, got 2"));
}

} // namespace
} // namespace maskjit
