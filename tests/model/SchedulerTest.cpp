// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Continuous batching: whatever waits, shares a batch or a prompt, a sequence is what it is alone, bit for bit.
#include "model/Generate.h"
#include "tests/model/GptOssFixture.h"
#include <gmock/gmock.h>
#include <map>
#include <set>

namespace maskjit {
namespace {

using testing::HasSubstr;
using Prompts = std::vector<std::vector<int64_t>>;

struct Scheduling : testing::Test {
  std::shared_ptr<GptOss> model = loadFixture("gpt-oss-tiny-mxfp4");
  GenerateOptions options;
  Prompts prompts;

  void SetUp() override {
    for (int64_t i : {3, 40, 1, 17, 70}) { // shorter and longer than the window of 16
      prompts.emplace_back();
      for (int64_t j = 0; j < i; ++j)
        prompts.back().push_back((13 * i + 7 * j) % 490);
    }
    for (int copy = 0; copy < 3; ++copy) // a group, and one that comes again later
      prompts.insert(prompts.begin() + 2, prompts[1]);
    prompts.push_back(prompts[0]);
    options.maxNewTokens = 24;
    options.sampling.seed = 5;
    for (int64_t token = 0; token < 512; token += 9) // sequences end at different steps
      options.stopTokens.push_back(token);
  }

  std::vector<Generation> alone() const {
    std::vector<Generation> all;
    for (size_t i = 0; i < prompts.size(); ++i) {
      GenerateOptions one = options;
      one.sequences = {i};
      all.push_back(generate(*model, {prompts[i]}, one)[0]);
    }
    return all;
  }
  void expectAsAlone(const std::vector<Generation> &want, const std::string &what) const {
    const std::vector<Generation> got = generate(*model, prompts, options);
    for (size_t i = 0; i < prompts.size(); ++i) {
      EXPECT_EQ(got[i].tokens, want[i].tokens) << what << ", prompt " << i;
      EXPECT_EQ(got[i].logProbs, want[i].logProbs) << what << ", prompt " << i;
      EXPECT_EQ(got[i].finished, want[i].finished) << what << ", prompt " << i;
    }
  }
};

TEST_F(Scheduling, ASequenceIsWhatItIsAloneInAnyNumberOfSlots) {
  const std::vector<Generation> want = alone();
  std::set<size_t> lengths;
  for (const Generation &generation : want)
    lengths.insert(generation.tokens.size());
  EXPECT_GT(lengths.size(), 3u); // they do end at different steps
  for (int64_t slots : {1, 2, 3, 8, 100}) {
    options.slots = slots;
    expectAsAlone(want, std::to_string(slots) + " slots");
  }
  options.batchInvariant = true, options.slots = 6;
  expectAsAlone(want, "steps of 6 slots, prompts one by one");
}

TEST_F(Scheduling, NorDoesItDependOnWhatIsPrefilledTogetherOrOnTheCachesRoom) {
  options.prefillTokens = 32; // the prompt of 70 tokens comes in pieces, alone or not
  const std::vector<Generation> want = alone();
  options.slots = 3;
  expectAsAlone(want, "pieces of 32 tokens");
  options.cacheTokens = 256;
  expectAsAlone(want, "a cache of 256 tokens");
}

TEST_F(Scheduling, ThePenaltyBelongsToTheSequence) {
  options.sampling.repetitionPenalty = 1.7;
  const std::vector<Generation> want = alone();
  options.slots = 2;
  expectAsAlone(want, "a penalty");
}

TEST_F(Scheduling, EndsWhereEverySequenceEndsAtOnce) {
  options.maxNewTokens = 1;
  options.slots = 2;
  for (const Generation &generation : generate(*model, prompts, options))
    EXPECT_EQ(generation.tokens.size(), 1u);
}

TEST_F(Scheduling, AFreeSlotGoesToTheNextAtOnce) {
  options.slots = 2;
  std::vector<size_t> order;
  const std::vector<Generation> got = generate(*model, prompts, options, [&](size_t prompt, int64_t, float) {
    order.push_back(prompt);
    return true;
  });
  std::map<size_t, size_t> first;
  for (size_t i = 0; i < order.size(); ++i)
    first.insert({order[i], i});
  // In two slots, a sequence starts when all that came before it but one have ended.
  for (size_t prompt = 2; prompt < got.size(); ++prompt) {
    size_t ended = 0;
    for (size_t other = 0; other < prompt; ++other)
      ended += std::count(order.begin(), order.begin() + first[prompt], other) == int64_t(got[other].tokens.size());
    EXPECT_GE(ended, prompt - 1) << "prompt " << prompt;
    EXPECT_LE(first[prompt], order.size());
  }
  // And no earlier step leaves a slot empty: between the starts of two sequences each running one draws a token a step.
  for (size_t i = 0; i + 2 < first[got.size() - 1]; ++i)
    EXPECT_FALSE(order[i] == order[i + 1] && order[i + 1] == order[i + 2]) << "token " << i;
}

TEST_F(Scheduling, RefusesACacheThatIsTooSmall) {
  options.cacheTokens = 64;
  EXPECT_THAT(messageOf([&] { generate(*model, {prompts[7]}, options); }),
              HasSubstr("a KV cache for 64 tokens is too small for prompt 0 alone, which may grow to 94 tokens"));
  options.cacheTokens = -1;
  EXPECT_THAT(messageOf([&] { generate(*model, prompts, options); }), HasSubstr("cache_tokens: expected 0"));
  options.cacheTokens = 0, options.slots = 0;
  EXPECT_THAT(messageOf([&] { generate(*model, prompts, options); }), HasSubstr("slots: expected at least 1, got 0"));
}

} // namespace
} // namespace maskjit
