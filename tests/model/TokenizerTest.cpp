// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ids and text against Hugging Face tokenizers (tiny checkpoints) and tiktoken (o200k_harmony).
#include "model/Tokenizer.h"
#include <chrono>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <thread>

using namespace maskjit;
using nlohmann::json;
using Ids = std::vector<int64_t>;

namespace {

json fixture(const std::string &name) {
  std::ifstream file(MASKJIT_FIXTURES "/tokenizer/" + name);
  return json::parse(file);
}

std::string fromBase64(const std::string &text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    if (c == '=')
      break;
    bits = bits << 6 | static_cast<uint32_t>(digits.find(c));
    if ((count += 6) >= 8)
      bytes.push_back(static_cast<char>(bits >> (count -= 8)));
  }
  return bytes;
}

class TinyTokenizer : public testing::Test {
protected:
  const std::shared_ptr<const Tokenizer> tokenizer = Tokenizer::load(MASKJIT_FIXTURES "/gpt-oss-tiny-bf16");
};

TEST_F(TinyTokenizer, EncodesAsHuggingFace) {
  const json vectors = fixture("tiny_vectors.json");
  ASSERT_EQ(vectors["texts"].size(), 400u);
  for (int round = 0; round < 2; ++round) // the second from the cache
    for (const json &v : vectors["texts"])
      EXPECT_EQ(tokenizer->encode(v["text"].get<std::string>()), v["ids"].get<Ids>()) << v;
}

TEST_F(TinyTokenizer, DecodesAsHuggingFace) {
  const json vectors = fixture("tiny_vectors.json");
  for (const json &v : vectors["decode"]) {
    EXPECT_EQ(replaceInvalidUtf8(tokenizer->decode(v["ids"])), v["text"]) << v;
    EXPECT_EQ(replaceInvalidUtf8(tokenizer->decode(v["ids"], true)), v["skip_special"]) << v;
  }
}

TEST_F(TinyTokenizer, SpecialTokensAreTextIfNotWanted) {
  const Ids ids = tokenizer->encode("<|end|>", false);
  EXPECT_GT(ids.size(), 1u);
  EXPECT_EQ(tokenizer->decode(ids), "<|end|>");
  EXPECT_EQ(tokenizer->encode("<|end|>"), Ids{505});
  EXPECT_EQ(tokenizer->encodeAllowing("<|end|><|start|>", {504}).back(), 504);
}

TEST_F(TinyTokenizer, NamesOfTokens) {
  EXPECT_EQ(tokenizer->vocabSize(), 512);
  EXPECT_EQ(tokenizer->tokenId("<|start|>"), 504);
  EXPECT_EQ(tokenizer->tokenId("in"), 256);
  EXPECT_EQ(tokenizer->tokenId("no such token"), -1);
  EXPECT_TRUE(tokenizer->isSpecial(504));
  EXPECT_FALSE(tokenizer->isSpecial(0));
  EXPECT_FALSE(tokenizer->isSpecial(512));
}

TEST_F(TinyTokenizer, IdsOfNoTokenAreLeftOut) { EXPECT_EQ(tokenizer->decode({-1, 256, 512, int64_t(1) << 40}), "in"); }

TEST_F(TinyTokenizer, LongWordsTakeNoQuadraticTime) {
  // A merge loop that scans the word for each merge would need some 10^12 steps here.
  for (const std::string unit : {"a", "in", "\xe6\x96\x87", " ", "!", "A1"}) {
    std::string text;
    while (text.size() < 1'000'000)
      text += unit;
    const auto start = std::chrono::steady_clock::now();
    const Ids ids = tokenizer->encode(text);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    EXPECT_LT(seconds, 30) << unit; // about 0.3 s on an idle machine
    EXPECT_EQ(tokenizer->decode(ids), text) << unit;
  }
}

TEST_F(TinyTokenizer, ThreadsShareIt) {
  const json vectors = fixture("tiny_vectors.json");
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (const json &v : vectors["texts"])
        wrong += tokenizer->encode(v["text"].get<std::string>()) != v["ids"].get<Ids>();
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

class O200kHarmony : public testing::Test {
protected:
  static void SetUpTestSuite() {
    if (*MASKJIT_O200K) {
      tokenizer = Tokenizer::fromO200k(MASKJIT_O200K);
      vectors = fixture("o200k_harmony_vectors.json");
    }
  }
  static void TearDownTestSuite() {
    tokenizer.reset();
    vectors = nullptr;
  }
  void SetUp() override {
    if (!tokenizer)
      GTEST_SKIP() << "the vocabulary was not unpacked: no xz at configuration";
  }
  static std::shared_ptr<const Tokenizer> tokenizer;
  static json vectors;
};
std::shared_ptr<const Tokenizer> O200kHarmony::tokenizer;
json O200kHarmony::vectors;

TEST_F(O200kHarmony, EncodesAsTiktoken) {
  ASSERT_EQ(vectors["texts"].size(), 400u);
  for (const json &v : vectors["texts"])
    EXPECT_EQ(tokenizer->encode(v["text"].get<std::string>(), false), v["ids"].get<Ids>()) << v;
}

TEST_F(O200kHarmony, SpecialTokens) {
  for (const json &v : vectors["with_special"]) {
    EXPECT_EQ(tokenizer->encode(v["text"].get<std::string>()), v["ids"].get<Ids>()) << v;
    EXPECT_EQ(tokenizer->encodeAllowing(v["text"].get<std::string>(),
                                        {tokenizer->tokenId("<|end|>"), tokenizer->tokenId("<|start|>")}),
              v["only_end_and_start"].get<Ids>())
        << v;
  }
}

TEST_F(O200kHarmony, InvalidUtf8) {
  for (const json &v : vectors["invalid_utf8"]) {
    const std::string bytes = fromBase64(v["base64"]);
    EXPECT_EQ(replaceInvalidUtf8(bytes), v["replaced"]) << v;
    EXPECT_EQ(tokenizer->encode(bytes, false), v["ids"].get<Ids>()) << v;
  }
}

TEST_F(O200kHarmony, Decodes) {
  for (const json &v : vectors["decode"]) {
    EXPECT_EQ(tokenizer->decode(v["ids"]), fromBase64(v["base64"])) << v;
    EXPECT_EQ(replaceInvalidUtf8(tokenizer->decode(v["ids"])), v["replaced"]) << v;
  }
}

} // namespace
