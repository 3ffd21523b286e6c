// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Property: nothing derived from a mask says more than the mask, for random expressions, parameters and tiles.
#include "TileOracle.h"
#include <cstdlib>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace maskjit;
using namespace maskjit::test;

static constexpr int kMasks = 2000, kCasesEach = 10;

/// MASKJIT_SEED repeats a run.
static uint64_t seed() {
  const char *given = std::getenv("MASKJIT_SEED");
  return given ? std::strtoull(given, nullptr, 10) : 20260711;
}

TEST(Derivations, NeverSayMoreThanTheMask) {
  Random random(seed());
  fmt::print("seed {}\n", seed());
  int64_t cases = 0, unions = 0, divisions = 0, arrays = 0, calls = 0;
  TileCounts counts;
  for (int i = 0; i < kMasks; ++i) {
    RandomMask written = randomMask(random);
    Result<Mask> mask = Mask::parse(written.text, "random.mask", "m");
    ASSERT_TRUE(mask) << mask.error().message << "\n" << written.text;
    for (int j = 0; j < kCasesEach; ++j) {
      RandomValues values = randomValues(*mask, random, random.chance(15));
      Result<MaskEvaluator> evaluator = MaskEvaluator::bind(*mask, values.values(), kBatch);
      ASSERT_TRUE(evaluator) << evaluator.error().message << "\n" << written.text;
      Tile tile = randomTile(random);
      std::string wrong = checkTile(*evaluator, tile, 16, counts);
      ASSERT_EQ(wrong, "") << "seed " << seed() << ", mask " << i << ", case " << j << "\n"
                           << written.text << values.describe(*mask) << tile.describe() << mask->ir(true);
      ++cases;
    }
    unions += written.features.unions * kCasesEach;
    divisions += written.features.division * kCasesEach;
    arrays += written.features.arrays * kCasesEach;
    calls += written.features.calls * kCasesEach;
  }
  auto percent = [](int64_t part, int64_t whole) { return 100.0 * double(part) / double(std::max<int64_t>(whole, 1)); };
  fmt::print("{} cases: {:.1f} % with unions, {:.1f} % with division or remainder, {:.1f} % with arrays, {:.1f} % with "
             "calls\n",
             cases, percent(unions, cases), percent(divisions, cases), percent(arrays, cases), percent(calls, cases));
  fmt::print("{} tiles: {} empty, {} full; {:.2f} % partial though empty or full; {:.1f} % of rows are intervals; "
             "{:.2f} % of the positions in ranges to spare\n",
             counts.tiles, counts.empty, counts.full, percent(counts.needlesslyPartial, counts.tiles),
             percent(counts.exactRows, counts.rows), percent(counts.spare, counts.positions));
  EXPECT_EQ(cases, 20000);
  for (int64_t part : {unions, divisions, arrays, calls})
    EXPECT_GE(5 * part, cases) << "the generator draws this construct too rarely";
}

/// Shipped masks whose predicates are affine in the coordinates: all but those that read arrays.
TEST(Derivations, ShippedAffineMasksHaveNoNeedlesslyPartialTile) {
  Random random(seed());
  int checked = 0;
  for (const std::string &name : Mask::shipped()) {
    Result<Mask> mask = Mask::find(name);
    ASSERT_TRUE(mask) << mask.error().message;
    bool isAffine = std::all_of(mask->params().begin(), mask->params().end(),
                                [](const ParamInfo &param) { return param.axis == Axis::None; });
    TileCounts counts;
    for (int i = 0; i < 400; ++i) {
      RandomValues values = randomValues(*mask, random, random.chance(15));
      Result<MaskEvaluator> evaluator = MaskEvaluator::bind(*mask, values.values(), kBatch);
      ASSERT_TRUE(evaluator) << evaluator.error().message;
      Tile tile = randomTile(random);
      ASSERT_EQ(checkTile(*evaluator, tile, 16, counts), "") << name << "\n" << values.describe(*mask);
      if (isAffine)
        ASSERT_EQ(counts.needlesslyPartial, 0) << name << "\n"
                                               << values.describe(*mask) << tile.describe() << mask->ir(true);
    }
    checked += isAffine;
    fmt::print("{}: {} tiles, {} empty, {} full, {} needlessly partial; {} of {} positions in ranges to spare\n", name,
               counts.tiles, counts.empty, counts.full, counts.needlesslyPartial, counts.spare, counts.positions);
  }
  EXPECT_GE(checked, 10);
}
