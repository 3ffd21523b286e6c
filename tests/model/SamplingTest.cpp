// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The random numbers against published vectors, each filter against sets worked out by hand, draws against frequencies.
#include "model/Sampling.h"
#include "tests/model/TensorFile.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <gmock/gmock.h>
#include <set>

namespace maskjit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Philox, GivesThePublishedVectors) { // kat_vectors of Random123
  EXPECT_THAT(philox({0, 0, 0, 0}, {0, 0}), ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  const uint32_t f = 0xffffffff;
  EXPECT_THAT(philox({f, f, f, f}, {f, f}), ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

/// Logits whose softmax is `p`.
at::Tensor logitsOf(const std::vector<double> &p) {
  return at::tensor(p, at::kDouble).log().to(at::kFloat).unsqueeze(0);
}

constexpr int kDraws = 4000;

/// How often each token is drawn by kDraws sequences from one row.
std::vector<int> draws(const std::vector<double> &p, const SamplingOptions &options, const at::Tensor &seen = {}) {
  std::vector<uint64_t> sequences(kDraws);
  for (int i = 0; i < kDraws; ++i)
    sequences[i] = i;
  const at::Tensor logits = logitsOf(p).expand({kDraws, int64_t(p.size())}).contiguous();
  const Sample drawn = sample(logits, options, sequences, std::vector<int64_t>(kDraws, 3),
                              seen.defined() ? seen.expand({kDraws, int64_t(p.size())}) : seen);
  std::vector<int> counts(p.size());
  for (int64_t token : drawn.tokens)
    ++counts.at(token);
  return counts;
}

std::set<size_t> support(const std::vector<int> &counts) {
  std::set<size_t> tokens;
  for (size_t t = 0; t < counts.size(); ++t)
    if (counts[t])
      tokens.insert(t);
  return tokens;
}

/// Six standard deviations of a binomial count: a wrong probability of a few per cent fails, chance does not.
void expectFrequencies(const std::vector<int> &counts, const std::vector<double> &p) {
  for (size_t t = 0; t < p.size(); ++t)
    EXPECT_NEAR(counts[t], kDraws * p[t], 6 * std::sqrt(kDraws * p[t] * (1 - p[t])) + 1e-9) << "token " << t;
}

TEST(Sampling, FollowsTheProbabilities) {
  expectFrequencies(draws({.1, .4, .2, 0, .3}, {}), {.1, .4, .2, 0, .3});
  SamplingOptions half;
  half.temperature = 0.5; // squares the probabilities
  expectFrequencies(draws({.1, .4, .2, 0, .3}, half), {.01 / .3, .16 / .3, .04 / .3, 0, .09 / .3});
}

TEST(Sampling, TopKKeepsTheMostLikely) {
  SamplingOptions options;
  options.topK = 2;
  expectFrequencies(draws({.1, .4, .2, .3}, options), {0, 4. / 7, 0, 3. / 7});
  options.topK = 100; // more than there are
  EXPECT_EQ(support(draws({.1, .4, .2, .3}, options)), (std::set<size_t>{0, 1, 2, 3}));
}

TEST(Sampling, TopPKeepsTheFewestThatReachIt) {
  SamplingOptions options;
  options.topP = 0.69; // .4 + .3 reach it
  expectFrequencies(draws({.1, .4, .2, .3}, options), {0, 4. / 7, 0, 3. / 7});
  options.topP = 0.71; // they do not
  EXPECT_EQ(support(draws({.1, .4, .2, .3}, options)), (std::set<size_t>{1, 2, 3}));
  options.topP = 1e-9;
  EXPECT_EQ(support(draws({.1, .4, .2, .3}, options)), (std::set<size_t>{1}));
}

TEST(Sampling, TopPCountsWhatTopKLeaves) {
  SamplingOptions options;
  options.topK = 2, options.topP = 0.55; // of {4/7, 3/7} the first is enough; of all four it would not be
  EXPECT_EQ(support(draws({.1, .4, .2, .3}, options)), (std::set<size_t>{1}));
}

TEST(Sampling, MinPIsAShareOfTheMostLikely) {
  SamplingOptions options;
  options.minP = 0.6; // of .4: at least .24
  expectFrequencies(draws({.1, .4, .2, .3}, options), {0, 4. / 7, 0, 3. / 7});
}

TEST(Sampling, PenaltyMakesSeenTokensRarer) {
  SamplingOptions options;
  options.repetitionPenalty = 2; // their logits here are negative: doubled, so the probability is squared
  const at::Tensor seen = at::tensor({0, 1, 0, 0}, at::kInt).to(at::kBool).unsqueeze(0);
  const double rest = 1 - .4 + .16;
  expectFrequencies(draws({.1, .4, .2, .3}, options, seen), {.1 / rest, .16 / rest, .2 / rest, .3 / rest});
}

TEST(Sampling, GreedyTakesTheMostLikelyAndSaysItsLogProbability) {
  SamplingOptions options;
  options.temperature = 0;
  const Sample drawn = sample(logitsOf({.1, .4, .2, .3}), options, {0}, {0});
  EXPECT_THAT(drawn.tokens, ElementsAre(1));
  EXPECT_NEAR(drawn.logProbs[0], std::log(.4), 1e-6);
}

TEST(Sampling, LogProbabilityIsOfTheTemperedUnfilteredDistribution) {
  SamplingOptions options;
  options.temperature = 0.5, options.topK = 1;
  EXPECT_NEAR(sample(logitsOf({.1, .4, .2, .3}), options, {0}, {0}).logProbs[0], std::log(.16 / .3), 1e-6);
}

TEST(Sampling, ARowsDrawDoesNotDependOnItsBatch) {
  const at::Tensor logits = at::randn({8, 50}, at::kFloat);
  for (const SamplingOptions &options : {SamplingOptions(), SamplingOptions{0.7, 20, 0.9, 0.01}}) {
    const Sample all = sample(logits, options, {0, 1, 2, 3, 4, 5, 6, 7}, {9, 8, 7, 6, 5, 4, 3, 2});
    for (int64_t row = 0; row < 8; ++row) {
      const Sample one = sample(logits.narrow(0, row, 1), options, {uint64_t(row)}, {9 - row});
      EXPECT_EQ(one.tokens[0], all.tokens[row]) << "row " << row;
    }
  }
}

TEST(Sampling, SeedSequenceAndPositionEachChangeTheDraw) {
  const std::set<double> different = {uniform(0, 0, 0),
                                      uniform(1, 0, 0),
                                      uniform(0, 1, 0),
                                      uniform(0, 0, 1),
                                      uniform(uint64_t(1) << 32, 0, 0),
                                      uniform(0, uint64_t(1) << 32, 0)};
  EXPECT_EQ(different.size(), 6u);
}

TEST(Sampling, RefusesOptionsOutOfRangeAndLogitsThatAreNoNumbers) {
  const auto message = [](const SamplingOptions &options) { return messageOf([&] { options.validate(); }); };
  EXPECT_EQ(message({}), "");
  EXPECT_THAT(message({-1}), HasSubstr("temperature: expected 0 (greedy) or more, got -1"));
  EXPECT_THAT(message({1, -2}), HasSubstr("top_k: expected 0 (all) or more, got -2"));
  EXPECT_THAT(message({1, 0, 0}), HasSubstr("top_p: expected a number above 0 and up to 1, got 0"));
  EXPECT_THAT(message({1, 0, 1, 2}), HasSubstr("min_p: expected a number in 0..1, got 2"));
  EXPECT_THAT(message({1, 0, 1, 0, 0}), HasSubstr("repetition_penalty: expected a number above 0, got 0"));
  EXPECT_THAT(messageOf([] { sample(at::full({1, 4}, NAN), {}, {0}, {0}); }), HasSubstr("logits are not finite"));
}

} // namespace
} // namespace maskjit
