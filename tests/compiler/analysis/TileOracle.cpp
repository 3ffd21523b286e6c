// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The oracle: no formula, only the predicate at each pair.
#include "TileOracle.h"
#include <fmt/format.h>

using namespace maskjit;
using namespace maskjit::test;

static constexpr int64_t kPositions = int64_t(1) << 28;

static bool contains(Range range, int64_t position) { return range.begin <= position && position < range.end; }
static std::string show(Range range) { return fmt::format("[{}, {})", range.begin, range.end); }
static Range widened(Range range, int64_t by) {
  return {std::max<int64_t>(0, range.begin - by), std::min(kPositions, range.end + by)};
}

std::string Tile::describe() const {
  return fmt::format("  sequence {}, head {}, queries {}, keys {}\n", b, h, show(queries), show(keys));
}

namespace {

/// One side of the check: `attends(x, y)` for x of the tile and y of the coordinate that the ranges are of.
struct Side {
  const char *coordinate;
  Range tile, positions, contained, filled;
};

template <class Attends> std::string checkSide(const Side &side, TileCounts &counts, Attends attends) {
  std::optional<Range> attended;
  for (int64_t y = side.positions.begin; y < side.positions.end; ++y) {
    bool any = false, all = true;
    for (int64_t x = side.tile.begin; x < side.tile.end; ++x) {
      bool one = attends(x, y);
      any |= one;
      all &= one;
    }
    if (any)
      attended = {attended ? attended->begin : y, y + 1};
    if (any && !contains(side.contained, y))
      return fmt::format("{} {} is attended but not in {}", side.coordinate, y, show(side.contained));
    if (!all && contains(side.filled, y))
      return fmt::format("{} {} is in the full range {} but not always attended", side.coordinate, y,
                         show(side.filled));
  }
  for (int64_t y = side.positions.begin; y < side.positions.end; ++y) {
    counts.positions += contains(side.contained, y);
    counts.spare += contains(side.contained, y) && !(attended && contains(*attended, y));
  }
  return {};
}

template <class Attends>
std::string checkExact(const char *what, int64_t x, Range positions, Range exact, Attends attends) {
  for (int64_t y = positions.begin; y < positions.end; ++y)
    if (attends(x, y) != contains(exact, y))
      return fmt::format("{} {} is {}, which is wrong at {}", what, x, show(exact), y);
  return {};
}

} // namespace

std::string maskjit::test::checkTile(const MaskEvaluator &mask, const Tile &tile, int64_t around, TileCounts &counts) {
  const int64_t b = tile.b, h = tile.h;
  auto attends = [&](int64_t q, int64_t k) { return mask.attends(b, h, q, k); };
  auto attended = [&](int64_t k, int64_t q) { return mask.attends(b, h, q, k); };
  Range nearKeys = widened(tile.keys, around), nearQueries = widened(tile.queries, around);
  std::string wrong =
      checkSide({"key", tile.queries, nearKeys, mask.keys(b, h, tile.queries), mask.fullKeys(b, h, tile.queries)},
                counts, attends);
  if (wrong.empty())
    wrong =
        checkSide({"query", tile.keys, nearQueries, mask.queries(b, h, tile.keys), mask.fullQueries(b, h, tile.keys)},
                  counts, attended);
  for (int64_t q = tile.queries.begin; wrong.empty() && q < tile.queries.end; ++q, ++counts.rows)
    if (std::optional<Range> row = mask.row(b, h, q)) {
      ++counts.exactRows;
      wrong = checkExact("row of query", q, nearKeys, *row, attends);
    }
  for (int64_t k = tile.keys.begin; wrong.empty() && k < tile.keys.end; ++k)
    if (std::optional<Range> column = mask.column(b, h, k))
      wrong = checkExact("column of key", k, nearQueries, *column, attended);
  if (!wrong.empty())
    return wrong;

  bool any = false, all = true;
  for (int64_t q = tile.queries.begin; q < tile.queries.end; ++q)
    for (int64_t k = tile.keys.begin; k < tile.keys.end; ++k) {
      bool one = attends(q, k);
      any |= one;
      all &= one;
    }
  TileClass found = mask.classify(b, h, tile.queries, tile.keys);
  ++counts.tiles;
  counts.empty += !any;
  counts.full += all;
  counts.needlesslyPartial += found == TileClass::Partial && (!any || all);
  if (found == TileClass::Empty && any)
    return "the tile is called empty, but a pair attends";
  if (found == TileClass::Full && !all)
    return "the tile is called full, but a pair does not attend";
  return {};
}

Tile maskjit::test::randomTile(Random &random) {
  int64_t base = random.chance(90) ? 0 : random.chance(50) ? 1000 : kPositions - 64;
  auto range = [&] {
    int64_t begin = base + random.between(0, 48), length = random.chance(15) ? 1 : random.between(1, 12);
    return Range{begin, std::min(begin + length, kPositions)};
  };
  return {random.between(0, kBatch - 1), random.between(0, 7), range(), range()};
}
