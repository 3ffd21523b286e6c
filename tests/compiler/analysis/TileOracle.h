// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Everything derived from a mask, compared with every pair of a tile evaluated point by point.
#pragma once
#include "RandomMask.h"

namespace maskjit::test {

struct Tile {
  int64_t b = 0, h = 0;
  Range queries, keys;
  std::string describe() const;
};

/// Tiles seen, by what they are and what they were called.
struct TileCounts {
  int64_t tiles = 0, empty = 0, full = 0, needlesslyPartial = 0, rows = 0, exactRows = 0;
  int64_t positions = 0,
          spare = 0; // in ranges of keys and queries; of these outside of what is attended first and last
};

/// Checks keys, full keys, queries, full queries, row, column and class of one tile; positions are looked at within
/// `around` of it. Returns what is wrong, or an empty string.
std::string checkTile(const MaskEvaluator &mask, const Tile &tile, int64_t around, TileCounts &counts);

/// A tile near 0, or, now and then, near the last position.
Tile randomTile(Random &random);

} // namespace maskjit::test
