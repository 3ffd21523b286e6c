// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every attention fixture through the operators on the CPU: results, and gradients by autograd.
#include "AttentionFixture.h"
#include "runtime/torch/Attention.h"
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

using namespace maskjit;
using test::AttentionFixture;

namespace {

class Fixtures : public testing::TestWithParam<std::string> {};

struct Computed {
  at::Tensor out, lse, dq, dk, dv, dsinks;
};
Computed compute(AttentionFixture &f) {
  std::vector<at::Tensor> inputs{f.q.requires_grad_(), f.k.requires_grad_(), f.v.requires_grad_()};
  if (f.sinks)
    inputs.push_back(f.sinks->requires_grad_());
  auto [out, lse] = attention(f.q, f.k, f.v, f.sinks, f.mask, f.params, f.scale);
  EXPECT_FALSE(lse.requires_grad());
  auto gradients = torch::autograd::grad({out}, inputs, {f.dout});
  return {out, lse, gradients[0], gradients[1], gradients[2], f.sinks ? gradients[3] : at::Tensor()};
}

TEST_P(Fixtures, Fp32) {
  AttentionFixture f = AttentionFixture::load(GetParam(), at::kFloat);
  const Computed c = compute(f);
  constexpr double kTolerance = 2e-6; // of the fixtures' README
  EXPECT_LE(test::difference(c.out, f.out), kTolerance);
  EXPECT_LE(test::difference(c.lse, f.lse), kTolerance);
  EXPECT_LE(test::difference(c.dq, f.dq), kTolerance);
  EXPECT_LE(test::difference(c.dk, f.dk), kTolerance);
  EXPECT_LE(test::difference(c.dv, f.dv), kTolerance);
  if (f.dsinks)
    EXPECT_LE(test::difference(c.dsinks, *f.dsinks), kTolerance);
}

TEST_P(Fixtures, Bf16) {
  AttentionFixture f = AttentionFixture::load(GetParam(), at::kBFloat16);
  const Computed c = compute(f);
  EXPECT_EQ(c.out.scalar_type(), at::kBFloat16);
  EXPECT_EQ(c.lse.scalar_type(), at::kFloat);
  // The bounds of the fixtures' README.
  EXPECT_TRUE(test::isNear(c.out, f.out, 0.02, 0.005));
  EXPECT_LE(test::difference(c.lse, f.lse), 1e-4);
  EXPECT_TRUE(test::isNear(c.dq, f.dq, 0.05, 0.01));
  EXPECT_TRUE(test::isNear(c.dk, f.dk, 0.05, 0.01));
  EXPECT_TRUE(test::isNear(c.dv, f.dv, 0.05, 0.01));
  if (f.dsinks)
    EXPECT_TRUE(test::isNear(c.dsinks, *f.dsinks, 0.05, 0.01));
}

TEST_P(Fixtures, StridesDoNotMatter) {
  AttentionFixture f = AttentionFixture::load(GetParam(), at::kFloat);
  const auto [out, lse] = attention(f.q, f.k, f.v, f.sinks, f.mask, f.params, f.scale);
  // [B, S, H, D] in memory, as projections leave it.
  const auto byToken = [](const at::Tensor &t) { return t.transpose(1, 2).contiguous().transpose(1, 2); };
  const auto [out2, lse2] = attention(byToken(f.q), byToken(f.k), byToken(f.v), f.sinks, f.mask, f.params, f.scale);
  EXPECT_TRUE(at::equal(out, out2));
  EXPECT_TRUE(at::equal(lse, lse2));
  EXPECT_EQ(out2.strides(), byToken(f.q).strides());
}

INSTANTIATE_TEST_SUITE_P(Attention, Fixtures, testing::ValuesIn(AttentionFixture::names()),
                         [](const auto &info) { return info.param; });

} // namespace
