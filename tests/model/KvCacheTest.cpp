// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rings against caches that keep every token, sequences that continue a shared prompt, pages that come back.
#include "model/KvCache.h"
#include "tests/model/GptOssFixture.h"
#include <gmock/gmock.h>

namespace maskjit {
namespace {

using testing::HasSubstr;

struct Cached : testing::Test {
  at::NoGradGuard guard;
  std::shared_ptr<GptOss> model = loadFixture("gpt-oss-tiny-mxfp4"); // window 16
  at::Tensor ids = at::arange(7, 7 + 200, at::kLong).unsqueeze(0);

  KvCache cacheOf(int64_t slots, int64_t capacity, int64_t pageSize, int64_t slidingTokens = 0) const {
    KvCacheSizes sizes;
    sizes.slots = slots, sizes.capacity = capacity, sizes.pageSize = pageSize, sizes.slidingTokens = slidingTokens;
    return KvCache(model->config(), sizes, at::kCPU, at::kFloat);
  }
  /// Hidden states of `ids` [1, n] that follow what the slot holds.
  at::Tensor append(KvCache &cache, const at::Tensor &ids, int64_t slot) const {
    Batch batch;
    batch.inputIds = ids;
    batch.slots = {slot};
    return model->forward(batch, &cache).last[0];
  }
};

TEST_F(Cached, RingsGiveWhatFullCachesGiveFarPastTheWindow) {
  for (int64_t pageSize : {4, 64})
    for (int64_t step : {1, 7, 33}) {
      KvCache rings = cacheOf(1, 200, pageSize, 256), all(model->config(), 1, 200, at::kCPU, at::kFloat);
      rings.open(0, 200, step);
      for (int64_t begin = 0; begin < 200; begin += step) {
        const at::Tensor piece = ids.narrow(1, begin, std::min(step, 200 - begin));
        EXPECT_TRUE(append(rings, piece, 0).equal(append(all, piece, 0))) << pageSize << " " << step << " " << begin;
      }
    }
}

TEST_F(Cached, RingsHoldTheWindowAndNoMore) {
  const KvCache rings = cacheOf(3, 4096, 16);
  EXPECT_EQ(rings.k[0].size(0), 3 * 1 + 1);   // a sliding layer: 16 tokens a slot, and the page of nobody
  EXPECT_EQ(rings.k[1].size(0), 3 * 256 + 1); // a full layer
}

TEST_F(Cached, SequencesContinueASharedPromptAsTheirOwn) {
  for (int64_t length : {5, 32, 37}) {
    KvCache cache = cacheOf(3, 128, 16, 512), own = cacheOf(1, 128, 16, 512);
    cache.open(2, 128, length);
    append(cache, ids.narrow(1, 0, length), 2);
    const KvPrefix prefix = cache.prefix(2);
    append(cache, ids.narrow(1, 3, 1), 2); // its first owner goes on before it leaves
    for (int64_t slot : {0, 1})
      cache.open(slot, prefix, 80);
    cache.close(2);
    const at::Tensor table = cache.pageTable(1).narrow(1, 0, length / 16);
    EXPECT_TRUE(table[0].equal(table[1])); // whole pages of the prompt are there once
    EXPECT_FALSE(cache.pageTable(0)[0].equal(cache.pageTable(0)[1]));
    cache.release(prefix);
    for (int64_t slot : {0, 1}) {
      own.open(0, 128, length);
      append(own, ids.narrow(1, 0, length), 0);
      for (int64_t step = 0; step < 30; ++step) {
        const at::Tensor next = ids.narrow(1, 50 + 60 * slot + step, 1);
        EXPECT_TRUE(append(cache, next, slot).equal(append(own, next, 0))) << length << " " << slot << " " << step;
      }
      own.close(0);
    }
  }
}

TEST_F(Cached, ClosedSlotsGiveTheirPagesBack) {
  KvCache cache = cacheOf(2, 64, 16);
  for (int round = 0; round < 3; ++round) {
    cache.open(0, 64), cache.open(1, 64);
    EXPECT_FALSE(cache.canOpen(1, 1));
    cache.close(0), cache.close(1);
    EXPECT_EQ(cache.pageTable(0).count_nonzero().item<int64_t>(), 0);
    EXPECT_TRUE(cache.canOpen(64, 1));
  }
  cache.open(0, 64);
  append(cache, ids.narrow(1, 0, 1), 0);
  const KvPrefix prefix = cache.prefix(0);
  cache.close(0);
  EXPECT_EQ(cache.held(0), 0);
  cache.open(0, prefix, 64);
  EXPECT_FALSE(cache.canOpen(48, 1)); // there are pages on full layers: the prefix has one ring, slot 0 the other
  cache.release(prefix);
  EXPECT_TRUE(cache.canOpen(64, 1));
}

TEST_F(Cached, RefusesWhatDoesNotFit) {
  KvCache cache = cacheOf(2, 64, 16, 256);
  cache.open(0, 64, 8);
  EXPECT_THAT(messageOf([&] { append(cache, ids.narrow(1, 0, 9), 0); }), HasSubstr("takes 8 tokens at once, got 9"));
  EXPECT_THAT(messageOf([&] { append(cache, ids.narrow(1, 0, 1), 1); }), HasSubstr("room for 0 tokens in slot 1"));
  EXPECT_THAT(messageOf([&] { append(cache, ids.narrow(1, 0, 1), 2); }), HasSubstr("expected numbers in 0..1, got 2"));
  EXPECT_THAT(messageOf([&] { cache.open(0, 64); }), HasSubstr("slot 0 of the KV cache is in use"));
  EXPECT_THAT(messageOf([&] { cache.open(1, 65); }), HasSubstr("holds 1 to 64 tokens, got 65"));
  EXPECT_THAT(messageOf([&] { cache.prefix(0); }), HasSubstr("slot 0 of the KV cache holds no token"));
  EXPECT_THAT(messageOf([&] { cacheOf(1, 64, 12); }), HasSubstr("a power of two of tokens, got 12"));
}

} // namespace
} // namespace maskjit
