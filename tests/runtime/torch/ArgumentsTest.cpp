// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What does not fit is refused by name; rows, keys and batches that do not exist are no error.
#include "runtime/torch/Attention.h"
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

using namespace maskjit;
using testing::HasSubstr;

namespace {

std::string refusal(const std::function<void()> &call) {
  try {
    call();
  } catch (const c10::Error &error) {
    return error.what_without_backtrace();
  }
  return "";
}

class Arguments : public testing::Test {
protected:
  std::string refused(const char *mask, std::vector<at::Tensor> params = {}) {
    return refusal([&] { attention(q, k, v, sinks, mask, params); });
  }
  at::Tensor q = at::randn({2, 4, 5, 32}), k = at::randn({2, 2, 7, 32}), v = at::randn({2, 2, 7, 32});
  std::optional<at::Tensor> sinks;
};

TEST_F(Arguments, Mask) {
  EXPECT_EQ(refused("causal"), "");
  EXPECT_EQ(refused("chunked"), ""); // a static parameter takes its default
  EXPECT_EQ(refused("chunked{chunk=4}"), "");
  EXPECT_THAT(refused("no_such_mask"), HasSubstr("no_such_mask"));
  EXPECT_THAT(refused("no_such_mask"), HasSubstr("no_such_mask")); // a failure is not remembered as a success
}

TEST_F(Arguments, Tensors) {
  q = q.to(at::kDouble);
  EXPECT_THAT(refused("causal"), HasSubstr("q is Double; expected float32"));
  q = at::randn({2, 4, 5, 32});
  k = k.to(at::kHalf);
  EXPECT_THAT(refused("causal"), HasSubstr("k is Half, q Float; expected the same"));
  k = at::randn({2, 7, 32});
  EXPECT_THAT(refused("causal"), HasSubstr("k has 3 dimensions; expected [batch"));
  k = at::randn({2, 2, 8, 32});
  EXPECT_THAT(refused("causal"), HasSubstr("k has shape [2, 2, 8, 32], v [2, 2, 7, 32]; expected the same"));
  k = at::randn({3, 2, 7, 32});
  v = at::randn({3, 2, 7, 32});
  EXPECT_THAT(refused("causal"), HasSubstr("k has batch 3, q 2; expected the same"));
  k = v = at::randn({2, 3, 7, 32});
  EXPECT_THAT(refused("causal"), HasSubstr("q has 4 heads, k 3; expected a multiple"));
  k = v = at::randn({2, 2, 7, 64});
  EXPECT_THAT(refused("causal"), HasSubstr("k has head dim 64, q 32; expected the same"));
  k = v = at::randn({2, 2, 32, 7}).transpose(2, 3);
  EXPECT_THAT(refused("causal"), HasSubstr("k has stride 7 in its last dimension; expected 1: call .contiguous()"));
}

TEST_F(Arguments, Sinks) {
  sinks = at::zeros({3});
  EXPECT_THAT(refused("causal"), HasSubstr("sinks has 3 entries, q 4 heads"));
  sinks = at::zeros({4}, at::kDouble);
  EXPECT_THAT(refused("causal"), HasSubstr("sinks is Double; expected float32"));
  sinks = at::zeros({4, 1});
  EXPECT_THAT(refused("causal"), HasSubstr("sinks has 2 dimensions; expected [query heads]"));
}

TEST_F(Arguments, Parameters) {
  const at::Tensor one = at::ones({}, at::kInt);
  EXPECT_EQ(refused("sliding_window"), "");
  EXPECT_EQ(refused("sliding_window", {one}), "");
  EXPECT_EQ(refused("sliding_window", {at::ones({2}, at::kInt)}), "");
  EXPECT_THAT(refused("sliding_window", {one, one}), HasSubstr("2 parameters given, mask 'sliding_window' has 1"));
  EXPECT_THAT(refused("sliding_window", {at::ones({}, at::kLong)}),
              HasSubstr("parameter 'window' is Long; expected Int: convert it with .to(torch.int32)"));
  EXPECT_THAT(refused("sliding_window", {at::ones({3}, at::kInt)}),
              HasSubstr("parameter 'window' has shape [3]; its first dimension is the batch, 2 here"));
  EXPECT_THAT(refused("sliding_window", {at::ones({2, 1}, at::kInt)}),
              HasSubstr("parameter 'window' has 2 dimensions"));
  EXPECT_THAT(refused("softcap", {one}), HasSubstr("parameter 'softcap' is Int; expected Float"));
  EXPECT_THAT(refused("packed_documents", {one}), HasSubstr("parameter 'documents' has 0 dimensions; expected [n] or"));
  EXPECT_THAT(refused("packed_documents", {at::ones({0}, at::kInt)}),
              HasSubstr("parameter 'documents' is an empty array"));
  EXPECT_THAT(refused(MASKJIT_SOURCE_DIR "/tests/runtime/torch/fixtures.mask:causal_dead_rows"),
              HasSubstr("needs 'dead' (number 1), which has no default"));
}

TEST_F(Arguments, Pages) {
  const auto refusedPages = [&](at::Tensor pages, at::Tensor table, at::Tensor lengths) {
    return refusal([&] { attention_cached(q, pages, pages, table, lengths, std::nullopt, "causal", {}); });
  };
  const at::Tensor pages = at::randn({6, 2, 4, 32}), table = at::zeros({2, 3}, at::kInt),
                   lengths = at::full({2}, 12, at::kInt);
  EXPECT_EQ(refusedPages(pages, table, lengths), "");
  EXPECT_THAT(refusedPages(at::randn({6, 2, 3, 32}), table, lengths),
              HasSubstr("pages of 3 keys; expected a power of two"));
  EXPECT_THAT(refusedPages(pages, table.to(at::kLong), lengths),
              HasSubstr("page_table is Long of 2 dimensions; expected int32"));
  EXPECT_THAT(refusedPages(pages, table, lengths + 1),
              HasSubstr("kv_len of sequence 0 is 13; its page_table row of 3 pages of 4"));
  EXPECT_THAT(refusedPages(pages, table, lengths - 13), HasSubstr("kv_len of sequence 0 is -1"));
  EXPECT_THAT(refusedPages(pages, table + 6, lengths), HasSubstr("names page 6; there are 6"));
  EXPECT_THAT(refusedPages(pages, at::zeros({3, 3}, at::kInt), lengths), HasSubstr("page_table has 3 rows, q batch 2"));
  EXPECT_THAT(refusedPages(pages, table, at::zeros({3}, at::kInt)), HasSubstr("kv_len has 3 entries, q batch 2"));
}

TEST_F(Arguments, GradientsThatDoNotExist) {
  const at::Tensor cap = at::scalar_tensor(20.0f).requires_grad_();
  EXPECT_THAT(refused("softcap", {cap}), HasSubstr("attention has none in its parameters; detach() it"));
  q.requires_grad_();
  const at::Tensor pages = at::randn({2, 2, 8, 32}), table = at::arange(2, at::kInt).view({2, 1});
  const auto cached = [&] {
    return refusal(
        [&] { attention_cached(q, pages, pages, table, at::full({2}, 8, at::kInt), std::nullopt, "causal", {}); });
  };
  EXPECT_THAT(cached(), HasSubstr("attention_cached has no gradient"));
  {
    at::NoGradGuard guard;
    EXPECT_EQ(cached(), "");
  }
  const at::Tensor out = std::get<0>(attention(q, k, v, sinks, "causal", {}));
  const at::Tensor dq = torch::autograd::grad({out.square().sum()}, {q}, {}, std::nullopt, /*create_graph=*/true)[0];
  EXPECT_THAT(refusal([&] { torch::autograd::grad({dq.sum()}, {q}); }),
              HasSubstr("attention can be differentiated once"));
}

TEST_F(Arguments, NothingToAttend) {
  sinks = at::tensor({1.0f, 2.0f, 3.0f, 4.0f});
  const at::Tensor noKeys = at::empty({2, 2, 0, 32}).requires_grad_();
  q.requires_grad_();
  const auto [out, lse] = attention(q, noKeys, noKeys, sinks, "causal", {});
  EXPECT_EQ(out.detach().abs().max().item<float>(), 0);
  EXPECT_TRUE(at::equal(lse[1].select(1, 4), *sinks));
  const auto gradients = torch::autograd::grad({out.sum()}, {q, noKeys});
  EXPECT_EQ(gradients[0].abs().max().item<float>(), 0);
  EXPECT_EQ(gradients[1].sizes(), noKeys.sizes());
  const auto [none, noneLse] = attention(at::empty({2, 4, 0, 32}), k, v, sinks, "causal", {});
  EXPECT_EQ(none.numel() + noneLse.numel(), 0);
}

TEST_F(Arguments, SinksOfTheInputsTypeGiveGradientsOfIt) {
  const at::Tensor half = at::zeros({4}, at::kBFloat16).requires_grad_();
  const auto out =
      std::get<0>(attention(q.to(at::kBFloat16), k.to(at::kBFloat16), v.to(at::kBFloat16), half, "causal", {}));
  EXPECT_EQ(torch::autograd::grad({out.sum()}, {half})[0].scalar_type(), at::kBFloat16);
}

TEST_F(Arguments, OnlyTheGradientsThatAreAsked) {
  v.requires_grad_();
  const auto out = std::get<0>(attention(q, k, v, at::zeros({4}), "causal", {}));
  EXPECT_EQ(torch::autograd::grad({out.sum()}, {v})[0].sizes(), v.sizes());
  EXPECT_FALSE(std::get<0>(attention(q, k, v.detach(), sinks, "causal", {})).requires_grad());
}

} // namespace
