// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Score clauses on the CPU. With one key a row's lse is its score, which shows the functions of a clause one by one.
#include "tests/runtime/attention/AttentionCase.h"
#include <gtest/gtest.h>

namespace maskjit::test {
namespace {

/// lse of rows whose only key has the scores `x`.
std::vector<float> scoresOf(const char *expression, const std::vector<float> &x) {
  auto mask = Mask::parse(std::string("mask f(q, k) = k == 0 score(s) = ") + expression, "score.mask");
  EXPECT_TRUE(mask) << mask.error().message;
  AttentionCase c(*mask, DType::F32, 1, 1, 1, x.size(), 1, 32);
  c.scale = 1;
  c.q.forEach([&](int64_t, int64_t, int64_t s, int64_t d) { c.q.set(0, 0, s, d, d == 0 ? x[s] : 0); });
  c.k.forEach([&](int64_t, int64_t, int64_t s, int64_t d) { c.k.set(0, 0, s, d, d == 0); });
  c.v.forEach([&](int64_t, int64_t, int64_t s, int64_t d) { c.v.set(0, 0, s, d, 1); });
  c.forward();
  return c.lse;
}

void expectUlps(const char *expression, double (*want)(double), const std::vector<float> &x, double ulps) {
  const std::vector<float> got = scoresOf(expression, x);
  for (size_t i = 0; i < x.size(); ++i) {
    const double exact = want(x[i]), ulp = std::nextafter(std::fabs(float(exact)), INFINITY) - std::fabs(float(exact));
    ASSERT_LE(std::fabs(got[i] - exact), ulps * ulp)
        << expression << " at " << x[i] << ": " << got[i] << " for " << exact;
  }
}

std::vector<float> spread(float low, float high) {
  std::vector<float> x;
  for (int i = 0; i <= 4000; ++i)
    x.push_back(low + (high - low) * i / 4000);
  return x;
}

TEST(AttentionScore, ExpLogTanhAreWithinTwoUlps) {
  expectUlps("exp(s)", std::exp, spread(-80, 88), 2);
  expectUlps("log(s)", std::log, spread(1e-6f, 3), 2);
  expectUlps("log(s)", std::log, spread(1, 1e30f), 2);
  expectUlps("tanh(s)", std::tanh, spread(-3, 3), 2);
  expectUlps("tanh(s)", std::tanh, spread(-60, 60), 2);
}

TEST(AttentionScore, ClausesSeeCoordinatesAndParameters) {
  auto mask = Mask::parse("mask slope(b, h, q, k; rate[h]: float) = k <= q score(s) = s - rate[h] * (q - k) + 0.25 * b",
                          "slope.mask");
  ASSERT_TRUE(mask) << mask.error().message;
  AttentionCase c(*mask, DType::F32, 2, 4, 2, 40, 40, 32);
  c.fillNormal(1);
  c.setParam("rate", std::vector<float>{0.5f, 0.25f, 0.125f, 0.f});
  c.forward();
  c.backward();
  const Gradients want = c.reference();
  EXPECT_LE(worstError(c.out.values(), want.out), 2e-6);
  EXPECT_LE(worstError(c.dq.values(), want.dq), 2e-6);
  EXPECT_LE(worstError(c.dk.values(), want.dk), 2e-6);
  EXPECT_LE(worstError(c.dv.values(), want.dv), 2e-6);
}

TEST(AttentionScore, GradientGoesThroughTheClause) {
  auto mask = Mask::find("softcap");
  ASSERT_TRUE(mask) << mask.error().message;
  AttentionCase c(*mask, DType::F32, 1, 2, 1, 70, 70, 64);
  c.fillNormal(2);
  c.setParam("softcap", std::vector<float>{2.f});
  c.forward();
  c.backward();
  const auto score = [](double s, int64_t, int64_t, int64_t, int64_t) { return 2 * std::tanh(s / 2); };
  const auto grad = [](double s, int64_t, int64_t, int64_t, int64_t) {
    return 1 - std::tanh(s / 2) * std::tanh(s / 2);
  };
  const Gradients want = c.reference(score, grad);
  EXPECT_LE(worstError(c.out.values(), want.out), 2e-6);
  EXPECT_LE(worstError(c.dq.values(), want.dq), 2e-6);
  EXPECT_LE(worstError(c.dk.values(), want.dk), 2e-6);
  EXPECT_LE(worstError(c.dv.values(), want.dv), 2e-6);
}

} // namespace
} // namespace maskjit::test
