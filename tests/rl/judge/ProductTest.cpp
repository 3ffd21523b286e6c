// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The bound: float products pass at every length, half precision and missing terms do not.
#include "rl/judge/Product.h"
#include "rl/judge/Cheats.h"
#include "rl/judge/Diagnosis.h"
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace maskjit::rl;

namespace {

float identity(float x) { return x; }
float toBf16(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  bits = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u; // round to nearest even
  __builtin_memcpy(&x, &bits, 4);
  return x;
}
float toTf32(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  bits = (bits + 0x1000) & 0xffffe000u;
  __builtin_memcpy(&x, &bits, 4);
  return x;
}

/// The product in float, of inputs that `round` has changed, without the first `skip` terms of each sum.
std::string floatProduct(const Product &p, float (*round)(float), int skip = 0) {
  MatmulShape s = p.shape();
  std::string result(p.resultBytes(), 0);
  auto *c = reinterpret_cast<float *>(result.data());
  for (int i = 0; i < s.m; ++i)
    for (int j = 0; j < s.n; ++j) {
      float sum = 0;
      for (int q = skip; q < s.k; ++q)
        sum += round(float(elementAt(p.inputs().data(), Element::Float, size_t(i * s.k + q)))) *
               round(float(elementAt(p.inputs().data(), Element::Float, size_t(s.m * s.k + q * s.n + j))));
      c[i * s.n + j] = sum;
    }
  return result;
}

} // namespace

TEST(Product, FloatSumsOfAnyLengthAreWithinTheBound) {
  for (int k : {1, 2, 3, 16, 100, 1000, 8000}) {
    Product p({8, 9, k}, Element::Float, uint64_t(k));
    EXPECT_LE(p.worstError(floatProduct(p, identity).data()), 1) << k;
  }
}

TEST(Product, LowPrecisionAndMissingTermsAreNot) {
  for (int k : {16, 100, 1000, 8000}) {
    Product p({24, 25, k}, Element::Float, uint64_t(k));
    for (auto round : {toBf16, toTf32}) {
      std::string result = floatProduct(p, round);
      double error = p.worstError(result.data());
      EXPECT_GT(error, 1) << k;
      EXPECT_EQ(diagnose(p, result, error, {}, false).cheat, int(kLowPrecision)) << k;
    }
    EXPECT_GT(p.worstError(floatProduct(p, identity, 1).data()), 1) << k;
  }
}

TEST(Product, WhatIsNotFiniteIsWrong) {
  Product p({3, 4, 5}, Element::Double, 1);
  std::vector<double> result = p.expected();
  EXPECT_EQ(p.worstError(reinterpret_cast<const char *>(result.data())), 0);
  for (double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    result[7] = value;
    EXPECT_GT(p.worstError(reinterpret_cast<const char *>(result.data())), 1);
  }
}

TEST(Product, InputsDependOnTheSeedAlone) {
  MatmulShape shape{4, 4, 4};
  EXPECT_EQ(Product(shape, Element::Float, 5).inputs(), Product(shape, Element::Float, 5).inputs());
  EXPECT_NE(Product(shape, Element::Float, 5).inputs(), Product(shape, Element::Float, 6).inputs());
}

TEST(Diagnosis, NamesWhatAResultBetrays) {
  Product first({8, 8, 8}, Element::Float, 1), p({8, 8, 8}, Element::Float, 2);
  auto cheatOf = [&](const std::string &result) { return diagnose(p, result, 2, {&first}, true).cheat; };
  EXPECT_EQ(cheatOf(floatProduct(first, identity)), int(kMemoised));
  EXPECT_EQ(cheatOf(p.inputs().substr(0, p.resultBytes())), int(kWrongShape));
  EXPECT_EQ(cheatOf(std::string(p.resultBytes(), 0)), int(kSwitching)); // right before, constant now
  EXPECT_EQ(diagnose(p, std::string(p.resultBytes(), 0), 2, {}, false).cheat, int(kConstantOutput));
  std::string one = floatProduct(p, identity);
  one[5] = char(one[5] ^ 0x40);
  EXPECT_EQ(cheatOf(one), int(kNoCheat)); // one wrong element is a mistake
}
