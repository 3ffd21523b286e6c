// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention_cached on shuffled pages gives what attention gives on contiguous keys.
#include "AttentionFixture.h"
#include "PagedCache.h"
#include "runtime/cache/CompileCounter.h"
#include "runtime/torch/Attention.h"
#include <gtest/gtest.h>

using namespace maskjit;
using test::AttentionFixture;
using test::PagedCache;

namespace {

at::Tensor lengths(const std::vector<int32_t> &values) { return at::tensor(values, at::kInt); }

class Cached : public testing::TestWithParam<std::string> {};

TEST_P(Cached, EqualsContiguousKeys) {
  const AttentionFixture f = AttentionFixture::load(GetParam(), at::kFloat);
  const at::Tensor kvLen = at::full({f.q.size(0)}, f.k.size(2), at::kInt);
  for (int64_t pageSize : {1, 8, 64}) {
    const PagedCache cache = PagedCache::of(f.k, f.v, pageSize);
    const auto [out, lse] =
        attention_cached(f.q, cache.kPages, cache.vPages, cache.pageTable, kvLen, f.sinks, f.mask, f.params, f.scale);
    EXPECT_LE(test::difference(out, f.out), 2e-6) << "pages of " << pageSize;
    EXPECT_LE(test::difference(lse, f.lse), 2e-6) << "pages of " << pageSize;
  }
}

INSTANTIATE_TEST_SUITE_P(Attention, Cached, testing::ValuesIn(AttentionFixture::names()),
                         [](const auto &info) { return info.param; });

TEST(CachedLengths, KeysPastTheLengthDoNotExist) {
  at::manual_seed(1);
  const at::Tensor q = at::randn({2, 4, 1, 32}), k = at::randn({2, 2, 21, 32}), v = at::randn({2, 2, 21, 32});
  const PagedCache cache = PagedCache::of(k, v, 4);
  const auto [out, lse] = attention_cached(q, cache.kPages, cache.vPages, cache.pageTable, lengths({21, 6}),
                                           std::nullopt, "gpt_oss_full", {lengths({20, 20})});
  for (int64_t b : {0, 1}) {
    const int64_t length = b ? 6 : 21;
    const auto [alone, aloneLse] =
        attention(q.narrow(0, b, 1), k.narrow(0, b, 1).narrow(2, 0, length), v.narrow(0, b, 1).narrow(2, 0, length),
                  std::nullopt, "gpt_oss_full", {at::scalar_tensor(20, at::kInt)});
    EXPECT_LE(test::difference(out[b], alone[0]), 1e-6);
    EXPECT_LE(test::difference(lse[b], aloneLse[0]), 1e-6);
  }
}

TEST(CachedLengths, GrowingCacheCompilesOnce) {
  at::manual_seed(2);
  const int64_t capacity = 96;
  const at::Tensor q = at::randn({2, 2, capacity, 32}), k = at::randn({2, 1, capacity, 32}),
                   v = at::randn({2, 1, capacity, 32});
  const auto [all, allLse] = attention(q, k, v, std::nullopt, "gpt_oss_sliding", {at::scalar_tensor(16, at::kInt)});
  const PagedCache cache = PagedCache::of(k, v, 16);
  int64_t compiled = -1;
  for (int32_t step = 0; step < capacity; ++step) {
    const auto [out, lse] = attention_cached(q.narrow(2, step, 1), cache.kPages, cache.vPages, cache.pageTable,
                                             lengths({step + 1, step + 1}), std::nullopt, "gpt_oss_sliding",
                                             {at::scalar_tensor(16, at::kInt), lengths({step, step})});
    ASSERT_LE(test::difference(out, all.narrow(2, step, 1)), 1e-6) << step;
    if (step == 0)
      compiled = compilations();
  }
  EXPECT_EQ(compilations(), compiled);
}

TEST(CachedLengths, EmptyCacheGivesTheSink) {
  const at::Tensor q = at::randn({1, 2, 3, 32}), pages = at::randn({4, 1, 8, 32}), table = at::zeros({1, 2}, at::kInt);
  const at::Tensor sinks = at::tensor({0.5f, -1.0f});
  const auto [out, lse] = attention_cached(q, pages, pages, table, lengths({0}), sinks, "causal", {});
  EXPECT_EQ(out.abs().max().item<float>(), 0);
  EXPECT_TRUE(at::equal(lse[0].select(1, 2), sinks));
}

} // namespace
