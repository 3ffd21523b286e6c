// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every shipped mask against key sets written out by hand.
#include "compiler/Compiler.h"
#include <atomic>
#include <fstream>
#include <gmock/gmock.h>
#include <thread>

using namespace maskjit;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

/// A mask with values of its parameters by name.
class Bound {
public:
  explicit Bound(const std::string &reference, std::map<std::string, std::vector<int32_t>> values = {})
      : values(std::move(values)) {
    Result<Mask> mask = Mask::find(reference);
    if (!mask) {
      ADD_FAILURE() << mask.error().message;
      return;
    }
    std::vector<ParamValues> bound;
    for (const ParamInfo &param : mask->params()) {
      auto found = this->values.find(param.name);
      bound.push_back(found == this->values.end()
                          ? ParamValues{}
                          : ParamValues{found->second.data(), 0, static_cast<int64_t>(found->second.size())});
    }
    Result<MaskEvaluator> result = MaskEvaluator::bind(*mask, bound, 1);
    if (!result)
      ADD_FAILURE() << result.error().message;
    else
      evaluator = *result;
  }

  /// The keys below `limit` that query `q` attends.
  std::vector<int> keys(int q, int limit = 12) const {
    std::vector<int> found;
    for (int k = 0; evaluator && k < limit; ++k)
      if (evaluator->attends(0, 0, q, k))
        found.push_back(k);
    return found;
  }
  float score(float s, int h, int q, int k) const { return evaluator ? evaluator->score(s, 0, h, q, k) : 0; }

private:
  std::map<std::string, std::vector<int32_t>> values;
  std::optional<MaskEvaluator> evaluator;
};

} // namespace

TEST(ShippedMasks, Causal) {
  Bound mask("causal");
  EXPECT_THAT(mask.keys(0), ElementsAre(0));
  EXPECT_THAT(mask.keys(3), ElementsAre(0, 1, 2, 3));
}

TEST(ShippedMasks, SlidingWindowAttendsWindowKeysWithItself) {
  Bound mask("sliding_window", {{"window", {4}}});
  EXPECT_THAT(mask.keys(2), ElementsAre(0, 1, 2));    // window - 2
  EXPECT_THAT(mask.keys(3), ElementsAre(0, 1, 2, 3)); // window - 1: the last that sees key 0
  EXPECT_THAT(mask.keys(4), ElementsAre(1, 2, 3, 4)); // window
  EXPECT_THAT(mask.keys(5), ElementsAre(2, 3, 4, 5)); // window + 1
  EXPECT_THAT(Bound("sliding_window", {{"window", {1}}}).keys(7), ElementsAre(7));
}

TEST(ShippedMasks, CacheOffset) {
  Bound mask("cache_offset", {{"q_offset", {5}}});
  EXPECT_THAT(mask.keys(0), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(mask.keys(1), ElementsAre(0, 1, 2, 3, 4, 5, 6));
}

TEST(ShippedMasks, LeftPaddingHidesKeysAndQueries) {
  Bound mask("left_padding", {{"left_pad", {3}}});
  EXPECT_THAT(mask.keys(2), IsEmpty());
  EXPECT_THAT(mask.keys(3), ElementsAre(3));
  EXPECT_THAT(mask.keys(5), ElementsAre(3, 4, 5));
}

TEST(ShippedMasks, RightPaddingIsBidirectional) {
  Bound mask("right_padding", {{"kv_len", {3}}});
  EXPECT_THAT(mask.keys(0), ElementsAre(0, 1, 2));
  EXPECT_THAT(mask.keys(9), ElementsAre(0, 1, 2));
}

TEST(ShippedMasks, PrefixLm) {
  Bound mask("prefix_lm", {{"prefix", {4}}});
  EXPECT_THAT(mask.keys(0), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(mask.keys(3), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(mask.keys(5), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(ShippedMasks, PackedDocuments) {
  Bound mask("packed_documents", {{"documents", {0, 0, 0, 1, 1, 2}}});
  EXPECT_THAT(mask.keys(2, 6), ElementsAre(0, 1, 2));
  EXPECT_THAT(mask.keys(3, 6), ElementsAre(3));
  EXPECT_THAT(mask.keys(4, 6), ElementsAre(3, 4));
  EXPECT_THAT(mask.keys(5, 6), ElementsAre(5));
  EXPECT_THAT(Bound("packed_documents").keys(2), ElementsAre(0, 1, 2)); // no documents: one document
}

TEST(ShippedMasks, PackedWindow) {
  Bound mask("packed_window", {{"documents", {0, 0, 0, 0, 1, 1}}, {"window", {2}}});
  EXPECT_THAT(mask.keys(3, 6), ElementsAre(2, 3));
  EXPECT_THAT(mask.keys(4, 6), ElementsAre(4));
  EXPECT_THAT(mask.keys(5, 6), ElementsAre(4, 5));
}

TEST(ShippedMasks, Chunked) {
  Bound mask("chunked{chunk=4}");
  EXPECT_THAT(mask.keys(3), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(mask.keys(4), ElementsAre(4));
  EXPECT_THAT(mask.keys(6), ElementsAre(4, 5, 6));
}

TEST(ShippedMasks, Dilated) {
  Bound mask("dilated{stride=3}", {{"window", {7}}});
  EXPECT_THAT(mask.keys(2), ElementsAre(2));
  EXPECT_THAT(mask.keys(6), ElementsAre(0, 3, 6));
  EXPECT_THAT(mask.keys(7), ElementsAre(1, 4, 7));
  EXPECT_THAT(mask.keys(9), ElementsAre(3, 6, 9));
}

TEST(ShippedMasks, GlobalTokens) {
  Bound mask("global_tokens", {{"window", {2}}, {"globals", {2}}});
  EXPECT_THAT(mask.keys(1, 6), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(mask.keys(2, 6), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(mask.keys(4, 6), ElementsAre(0, 1, 3, 4, 5));
}

TEST(ShippedMasks, GptOssServesChunksPaddingAndDecode) {
  Bound full("gpt_oss_full", {{"q_offset", {4}}, {"left_pad", {2}}, {"kv_len", {7}}});
  EXPECT_THAT(full.keys(0), ElementsAre(2, 3, 4));
  EXPECT_THAT(full.keys(2), ElementsAre(2, 3, 4, 5, 6));
  EXPECT_THAT(full.keys(4), ElementsAre(2, 3, 4, 5, 6)); // keys from kv_len on are not filled
  EXPECT_THAT(Bound("gpt_oss_full", {{"left_pad", {2}}}).keys(1), IsEmpty());
  EXPECT_THAT(Bound("gpt_oss_full").keys(2), ElementsAre(0, 1, 2));
}

TEST(ShippedMasks, GptOssSlidingAtTheWindowsEdge) {
  Bound mask("gpt_oss_sliding", {{"window", {3}}});
  EXPECT_THAT(mask.keys(1), ElementsAre(0, 1));
  EXPECT_THAT(mask.keys(2), ElementsAre(0, 1, 2)); // window - 1
  EXPECT_THAT(mask.keys(3), ElementsAre(1, 2, 3)); // window
  EXPECT_THAT(mask.keys(4), ElementsAre(2, 3, 4)); // window + 1
  Bound decode("gpt_oss_sliding", {{"window", {3}}, {"q_offset", {9}}, {"left_pad", {8}}, {"kv_len", {10}}});
  EXPECT_THAT(decode.keys(0), ElementsAre(8, 9));
}

TEST(ShippedMasks, GptOssParametersStandInTheirOrder) {
  auto names = [](const char *reference) {
    std::vector<std::string> out;
    Result<Mask> mask = Mask::find(reference);
    for (const ParamInfo &param : mask->params())
      out.push_back(param.name);
    return out;
  };
  EXPECT_THAT(names("gpt_oss_full"), ElementsAre("q_offset", "left_pad", "kv_len"));
  EXPECT_THAT(names("gpt_oss_sliding"), ElementsAre("window", "q_offset", "left_pad", "kv_len"));
}

TEST(ShippedMasks, AlibiLowersByDistanceTimesSlope) {
  Bound mask("alibi", {{"heads", {4}}});
  EXPECT_THAT(mask.keys(2), ElementsAre(0, 1, 2));
  // Slopes of four heads: 1/4, 1/16, 1/64, 1/256.
  EXPECT_NEAR(mask.score(1.0f, 0, 5, 3), 1.0f - 0.5f, 1e-6);
  EXPECT_NEAR(mask.score(1.0f, 1, 20, 4), 1.0f - 1.0f, 1e-6);
  EXPECT_NEAR(mask.score(0.0f, 3, 255, 0), -255.0f / 256, 1e-6);
}

TEST(ShippedMasks, SoftcapHoldsScores) {
  Bound mask("softcap");
  EXPECT_THAT(mask.keys(2), ElementsAre(0, 1, 2));
  EXPECT_NEAR(mask.score(1e6f, 0, 0, 0), 50.0f, 1e-4);
  EXPECT_NEAR(mask.score(10.0f, 0, 0, 0), 9.868767f, 1e-5); // 50 tanh(0.2)
  EXPECT_THAT(Bound("softcap", {{"window", {2}}}).keys(4), ElementsAre(3, 4));
}

TEST(ShippedMasks, EachIsDescribedInItsFirstLineAndHasDefaults) {
  EXPECT_EQ(Mask::shipped().size(), 15u);
  for (const std::string &name : Mask::shipped()) {
    Result<Mask> mask = Mask::find(name);
    ASSERT_TRUE(mask) << mask.error().message;
    EXPECT_EQ(mask->name(), name);
    EXPECT_TRUE(MaskEvaluator::bind(*mask, {}, 1)) << name;
    std::ifstream file(std::string(MASKJIT_SOURCE_DIR) + "/compiler/masks/" + name + ".mask");
    std::string line;
    std::getline(file, line);
    EXPECT_EQ(line.substr(0, 3), "// ") << name;
  }
}

TEST(ShippedMasks, FoundTwiceIsOneMask) {
  EXPECT_EQ(&Mask::find("gpt_oss_full")->get(), &Mask::find("gpt_oss_full")->get());
  EXPECT_NE(Mask::find("chunked{chunk=8}")->digest(), Mask::find("chunked{chunk=16}")->digest());
}

TEST(ShippedMasks, FoundByManyThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> same = 0;
  const std::string digest = Mask::find("dilated{stride=2}")->digest();
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 20; ++round) {
        // Statics of its own, so that threads emit and derive at the same time; then one that all share.
        Result<Mask> own = Mask::find("dilated{stride=" + std::to_string(3 + i * 20 + round) + "}");
        same += own && own->ir(true).find("@dilated") != std::string::npos &&
                Mask::find("dilated{stride=2}")->digest() == digest;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(same, 160);
}

TEST(ShippedMasks, TheExampleBesideThemIsAMask) {
  std::ifstream file(std::string(MASKJIT_SOURCE_DIR) + "/compiler/masks/README.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const size_t begin = text.find("```\n") + 4, end = text.find("```", begin);
  ASSERT_NE(end, std::string::npos);
  Result<Mask> mask = Mask::parse(std::string_view(text).substr(begin, end - begin), "README.md");
  ASSERT_TRUE(mask) << mask.error().message;
  EXPECT_TRUE(mask->hasScore());
}
