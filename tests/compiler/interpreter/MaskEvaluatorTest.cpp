// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The interpreter: meaning of each operation on literal values, and what bind refuses.
#include "compiler/Compiler.h"
#include <cmath>
#include <gmock/gmock.h>

using namespace maskjit;
using testing::HasSubstr;

namespace {

Mask parsed(std::string_view text) {
  Result<Mask> mask = Mask::parse(text, "test.mask");
  EXPECT_TRUE(mask) << mask.error().message;
  return mask ? *mask : *Mask::find("causal");
}
ParamValues one(const int32_t &value) { return {&value, 0, 1}; }
MaskEvaluator bound(const Mask &mask, std::vector<ParamValues> values = {}, int64_t batch = 1) {
  Result<MaskEvaluator> evaluator = MaskEvaluator::bind(mask, std::move(values), batch);
  EXPECT_TRUE(evaluator) << evaluator.error().message;
  return evaluator ? *evaluator : *MaskEvaluator::bind(*Mask::find("causal"), {}, 1);
}
std::string bindError(const Mask &mask, std::vector<ParamValues> values, int64_t batch = 1) {
  Result<MaskEvaluator> evaluator = MaskEvaluator::bind(mask, std::move(values), batch);
  return evaluator ? "" : evaluator.error().message;
}

/// The value of an integer expression over x and y, -100..100 each.
bool holds(const std::string &expression, int32_t x, int32_t y) {
  const Mask mask = parsed("mask m(q, k; x: int -100..100, y: int -100..100) = " + expression);
  return bound(mask, {one(x), one(y)}).attends(0, 0, 5, 7);
}

} // namespace

TEST(MaskEvaluator, DivisionAndRemainderRoundDown) {
  EXPECT_TRUE(holds("x / 3 == y", 7, 2));
  EXPECT_TRUE(holds("x / 3 == y", -7, -3));
  EXPECT_TRUE(holds("x / (0 - 3) == y", 7, -3));
  EXPECT_TRUE(holds("x / -3 == y", -7, 2));
  EXPECT_TRUE(holds("x % 3 == y", 7, 1));
  EXPECT_TRUE(holds("x % 3 == y", -7, 2));
  EXPECT_TRUE(holds("x % -3 == y", 7, -2));
  EXPECT_TRUE(holds("x % -3 == y", -7, -1));
  EXPECT_TRUE(holds("x % 3 == y", -6, 0));
}

TEST(MaskEvaluator, OperatorsAndPrecedence) {
  EXPECT_TRUE(holds("x + 2 * y == 11", 3, 4));
  EXPECT_TRUE(holds("x - y - 1 == -2", 3, 4));
  EXPECT_TRUE(holds("q == 5 && k == 7", 0, 0));
  EXPECT_TRUE(holds("x > 0 || y > 0 && x > 5", 1, 0));
  EXPECT_FALSE(holds("(x > 0 || y > 0) && x > 5", 1, 0));
  EXPECT_TRUE(holds("1 < x < y <= 4", 3, 4));
  EXPECT_FALSE(holds("1 < x < y <= 4", 3, 3));
  EXPECT_TRUE(holds("y >= x > 1", 3, 4));
  EXPECT_TRUE(holds("x != y", 3, 4));
  EXPECT_TRUE(holds("!(x == y) && !false && true", 3, 4));
  EXPECT_TRUE(holds("min(x, y, 9) == 3 && max(x, y, 0 - 9) == 4", 3, 4));
  EXPECT_TRUE(holds("abs(x) == 3 && abs(y) == 4", -3, 4));
  EXPECT_TRUE(holds("-x * -y == 12", 3, 4));
  EXPECT_TRUE(holds("let s = x + y; let t = s * s; t == 49", 3, 4));
  EXPECT_TRUE(holds("(let s = x; s) == 3 && (let s = y; s) == 4", 3, 4));
}

TEST(MaskEvaluator, EachSequenceHasItsParameters) {
  const Mask mask = parsed("mask m(b, q, k; w: int 0..9, d[k]: int 0..9) = k < w && d[k] == b");
  const int32_t w[] = {1, 3}, d[] = {0, 1, 0, 9, 9, 0, 1, 1};
  const MaskEvaluator evaluator = bound(mask, {{w, 1, 1}, {d, 4, 4}}, 2);
  EXPECT_TRUE(evaluator.attends(0, 0, 0, 0));
  EXPECT_FALSE(evaluator.attends(0, 0, 0, 2)); // beyond w of sequence 0
  EXPECT_FALSE(evaluator.attends(1, 0, 0, 1)); // sequence 1: d = 9 0 1 1
  EXPECT_TRUE(evaluator.attends(1, 0, 0, 2));
}

TEST(MaskEvaluator, IndicesClampToTheArray) {
  const Mask mask = parsed("mask m(q, k; d[k]: int 0..9) = d[q - k] == 4");
  const int32_t d[] = {4, 5, 4};
  const MaskEvaluator evaluator = bound(mask, {{d, 0, 3}});
  EXPECT_TRUE(evaluator.attends(0, 0, 0, 9)); // -9 reads element 0
  EXPECT_FALSE(evaluator.attends(0, 0, 10, 9));
  EXPECT_TRUE(evaluator.attends(0, 0, 100, 0)); // 100 reads element 2
}

TEST(MaskEvaluator, ExactBeyond32Bits) {
  const Mask square = parsed("mask m(q, k; x: int -2^31..2147483647) = x * x == 4611686018427387904");
  EXPECT_TRUE(bound(square, {one(INT32_MIN)}).attends(0, 0, 0, 0)); // 2^62
  EXPECT_FALSE(bound(square, {one(INT32_MAX)}).attends(0, 0, 0, 0));
}

TEST(MaskEvaluator, MissingTrailingValuesAreDefaults) {
  const Mask mask = parsed("mask m(q, k; x: int 0..9, y: int 0..9 = 4) = x + y == 7");
  EXPECT_TRUE(bound(mask, {one(3)}).attends(0, 0, 0, 0));
  EXPECT_EQ(bindError(mask, {}), "parameter 'x' of mask 'm' has no value and no default");
}

TEST(MaskEvaluator, RefusesValuesOutsideTheRange) {
  const Mask mask = parsed("mask m(q, k; x: int 1..9, d[k] sorted: int 0..9) = x < d[k]");
  const int32_t fine[] = {0, 3, 3}, high[] = {0, 3, 10}, falls[] = {0, 3, 2}, xs[] = {1, 0};
  EXPECT_EQ(bindError(mask, {one(3), {fine, 0, 3}}), "");
  EXPECT_EQ(bindError(mask, {one(0), {fine, 0, 3}}), "parameter 'x' of mask 'm' lies in 1..9, got 0");
  EXPECT_EQ(bindError(mask, {{xs, 1, 1}, {fine, 0, 3}}, 2),
            "parameter 'x' of mask 'm' lies in 1..9, got 0 of sequence 1");
  EXPECT_EQ(bindError(mask, {one(3), {high, 0, 3}}), "parameter 'd' of mask 'm' lies in 0..9, got 10 at position 2");
  EXPECT_EQ(bindError(mask, {one(3), {falls, 0, 3}}),
            "array 'd' of mask 'm' is declared sorted, but 2 follows 3 at position 2");
  EXPECT_EQ(bindError(mask, {one(3), {fine, 0, 0}}), "parameter 'd' of mask 'm' has 0 elements, expected 1 or more");
  EXPECT_EQ(bindError(mask, {one(3), {fine, 0, 3}, one(1)}), "mask 'm' has 2 parameters, got values for 3");
  EXPECT_EQ(bindError(mask, {one(3), {fine, 0, 3}}, 0), "expected a batch of 1 or more, got 0");
}

TEST(MaskEvaluator, ScoresInFp32) {
  const Mask mask = parsed("mask m(h, q, k; c: float = 2.0, slope[h]: float) = k <= q\n"
                           "score(s) = min(pow(s, 3), 100) + slope[h] * (q - k) / c - max(tanh(s), exp(-abs(s))) + "
                           "sqrt(4.0) + log(c) + pow(abs(s), 0.5)");
  const float slope[] = {0.5f, -1.0f};
  const MaskEvaluator evaluator = bound(mask, {{}, {slope, 0, 2}});
  auto expected = [](float s, float slope, float distance) {
    return std::min(s * s * s, 100.0f) + slope * distance / 2 - std::max(std::tanh(s), std::exp(-std::fabs(s))) + 2 +
           std::log(2.0f) + std::sqrt(std::fabs(s));
  };
  EXPECT_NEAR(evaluator.score(1.5f, 0, 0, 9, 2), expected(1.5f, 0.5f, 7), 1e-5);
  EXPECT_NEAR(evaluator.score(-2.0f, 0, 1, 3, 3), expected(-2.0f, -1.0f, 0), 1e-5);
  EXPECT_NEAR(evaluator.score(9.0f, 0, 1, 4, 3), expected(9.0f, -1.0f, 1), 1e-4);
}

TEST(MaskEvaluator, DivisionOfIntegersInAScoreIsReal) {
  const Mask mask = parsed("mask m(q, k; d[k]: int 0..9) = true score(s) = s + q / 4 + d[q / 4]");
  const int32_t d[] = {0, 5};
  EXPECT_FLOAT_EQ(bound(mask, {{d, 0, 2}}).score(1.0f, 0, 0, 6, 0), 1.0f + 1.5f + 5.0f);
}

TEST(MaskEvaluator, WithoutAScoreTheScoreStays) {
  EXPECT_EQ(bound(*Mask::find("causal")).score(0.25f, 0, 0, 3, 1), 0.25f);
}
