// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The property test can fail: `<` for `<=` in a derivation is found by it.
#include "TileOracle.h"
#include "compiler/transforms/DerivedMask.h"
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace maskjit;
using namespace maskjit::test;

/// Every text that differs from `text` in one comparison: strict for loose, or loose for strict.
static std::vector<std::string> withOneComparisonChanged(const std::string &text) {
  std::vector<std::string> result;
  for (size_t at = text.find('='); at < text.size(); ++at) // past the declaration
    if (text[at] == '<' || text[at] == '>') {
      std::string changed = text;
      if (text[at + 1] == '=')
        changed.erase(at + 1, 1);
      else
        changed.insert(at + 1, "=");
      result.push_back(changed);
    }
  return result;
}

/// True if some random parameters and tile show that the derived functions say too much.
static bool isCaught(const Mask &mask, Random &random) {
  TileCounts counts;
  for (int i = 0; i < 4000; ++i) {
    RandomValues values = randomValues(mask, random, false);
    Result<MaskEvaluator> evaluator = MaskEvaluator::bind(mask, values.values(), kBatch);
    if (!evaluator) {
      ADD_FAILURE() << evaluator.error().message;
      return false;
    }
    if (!checkTile(*evaluator, randomTile(random), 16, counts).empty())
      return true;
  }
  return false;
}

TEST(PlantedError, OneComparisonChangedInADerivationIsCaught) {
  Random random(7);
  int planted = 0;
  for (const std::string text : {"mask m(q, k; w: int 1..100) = 0 <= q - k < w",
                                 "mask m(q, k; o: int 0..60, pad: int 0..60) = k <= q + o && k >= pad",
                                 "mask m(q, k; w: int 1..100, g: int 0..60) = k < g || 0 <= q - k < w",
                                 "mask m(q, k; d[k] sorted: int 0..9) = k <= q && d[q] <= d[k]",
                                 "mask m(q, k; a: int 0..60) = (q + a) / 8 >= k / 8 && q >= 3"}) {
    Result<Mask> mask = Mask::parse(text, "planted.mask");
    ASSERT_TRUE(mask) << mask.error().message;
    EXPECT_FALSE(isCaught(*mask, random)) << text;
    for (const std::string &changed : withOneComparisonChanged(text)) {
      Result<Mask> other = Mask::parse(changed, "planted.mask");
      ASSERT_TRUE(other) << other.error().message;
      // The predicate is right, what is derived has the error.
      Result<Mask> wrong = maskFromText(mask->ir(false), other->ir(true));
      ASSERT_TRUE(wrong) << wrong.error().message;
      EXPECT_TRUE(isCaught(*wrong, random)) << changed;
      ++planted;
    }
  }
  fmt::print("{} errors planted\n", planted);
  EXPECT_EQ(planted, 11);
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
