// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The property test can fail: a comparison of a derived function made strict is found by it.
#include "TileOracle.h"
#include "compiler/transforms/DerivedMask.h"
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace maskjit;
using namespace maskjit::test;

/// The places of `<=` and `>=` in function `name` of textual IR.
static std::vector<size_t> looseComparisons(const std::string &ir, const std::string &name) {
  std::vector<size_t> places;
  size_t begin = ir.find("@" + name + "("), end = ir.find("mask.return", begin);
  for (const char *predicate : {" ge, ", " le, "})
    for (size_t at = ir.find(predicate, begin); at < end; at = ir.find(predicate, at + 1))
      places.push_back(at + 1);
  return places;
}

/// True if some random parameters and tile show that the derived functions say too much.
static bool isCaught(const Mask &mask, Random &random) {
  TileCounts counts;
  for (int i = 0; i < 4000; ++i) {
    RandomValues values = randomValues(mask, random, false);
    Result<MaskEvaluator> evaluator = MaskEvaluator::bind(mask, values.values(), 1);
    if (!evaluator) {
      ADD_FAILURE() << evaluator.error().message;
      return false;
    }
    if (!checkTile(*evaluator, randomTile(random), 16, counts).empty())
      return true;
  }
  return false;
}

TEST(PlantedError, StrictForLooseComparisonIsCaught) {
  Random random(7);
  int planted = 0;
  for (const char *text : {"mask m(q, k; w: int 1..100) = 0 <= q - k < w",
                           "mask m(q, k; o: int 0..100, pad: int 0..100) = k <= q + o && k >= pad",
                           "mask m(q, k; d[k] sorted: int 0..9) = k <= q && d[q] == d[k]"}) {
    Result<Mask> mask = Mask::parse(text, "planted.mask");
    ASSERT_TRUE(mask) << mask.error().message;
    EXPECT_FALSE(isCaught(*mask, random)) << text;
    for (size_t place : looseComparisons(mask->ir(true), "m.classify")) {
      std::string ir = mask->ir(true);
      ir[place + 1] = 't'; // ge -> gt, le -> lt
      Result<Mask> wrong = maskFromText(mask->ir(false), ir);
      ASSERT_TRUE(wrong) << wrong.error().message << ir;
      EXPECT_TRUE(isCaught(*wrong, random)) << "not caught at " << place << ":\n" << ir;
      ++planted;
    }
  }
  fmt::print("{} comparisons made strict, each caught\n", planted);
  EXPECT_GE(planted, 4);
}

TEST(PlantedError, MasksWithoutDerivationsStayRight) {
  Random random(8);
  Result<Mask> mask = Mask::parse("mask m(q, k; w: int 1..100) = 0 <= q - k < w", "plain.mask");
  ASSERT_TRUE(mask) << mask.error().message;
  Result<Mask> plain = withDerivations(*mask, {/*keys=*/false, /*queries=*/false, /*tileClass=*/false});
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->ir(true).find("@m."), std::string::npos);
  EXPECT_FALSE(isCaught(*plain, random));
}
