// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// In which order the copy engine brings a matrix's features to linear_rows_sm90.
#include "compiler/device/LinearTable.h"
#include "compiler/device/linear_rows_maps.h"
#include <gtest/gtest.h>
#include <vector>

using namespace maskjit;

/// What a box brings, element by element, as offsets from the base: what cuTensorMapEncodeTiled documents.
static std::vector<long long> elementsOf(const device::TensorMapShape &shape, std::vector<int> at) {
  std::vector<long long> offsets;
  int i[5] = {};
  const auto walk = [&](const auto &self, int axis) -> void {
    if (axis < 0) {
      long long offset = 2ll * (at[0] + i[0]);
      bool inside = true;
      for (int a = 0; a < shape.rank; ++a) {
        inside &= static_cast<unsigned long long>(at[a] + i[a]) < shape.sizes[a];
        offset += a > 0 ? static_cast<long long>(shape.strides[a - 1]) * (at[a] + i[a]) : 0;
      }
      offsets.push_back(inside ? offset : -1); // zeros outside
      return;
    }
    for (i[axis] = 0; i[axis] < static_cast<int>(shape.box[axis]); ++i[axis])
      self(self, axis - 1);
  };
  walk(walk, shape.rank - 1);
  return offsets;
}

/// LinearTile::feature of compiler/device/linear/rows.cuh, for row `row` of a tile of 64.
static long long featureOf(int tile, int row, int head) {
  const int block = tile * (device::kLinearTile / 16) + row / 16, r = row % 16;
  if (head == 0)
    return block * 16 + r;
  const int blocks = head / 16;
  return block / blocks * head + block % blocks * 8 + r % 8 + r / 8 * (head / 2);
}

TEST(LinearMaps, FeaturesHalfAHeadApartAreEightRowsApart) {
  constexpr int kIn = 96; // the second step is half outside
  for (int head : {0, 16, 32, 64, 128, 256, 512})
    for (int features : {512, 1024 + 512}) {
      SCOPED_TRACE("head " + std::to_string(head) + ", features " + std::to_string(features));
      const device::TensorMapShape map = device::linear_matrix_map(nullptr, kIn, features, head);
      const int perHead = (head ? head : 16) / 16; // as linear_rows_fill names a tile's first block
      for (int tile = 0; tile < features / device::kLinearTile; ++tile)
        for (int step = 0; step < 2; ++step) {
          const int block = tile * (device::kLinearTile / 16), from = step * device::kLinearStep;
          const std::vector<long long> got = elementsOf(map, {from, 0, 0, block % perHead, block / perHead});
          ASSERT_EQ(got.size(), size_t(device::kLinearTile * device::kLinearStep));
          for (int row = 0; row < device::kLinearTile; ++row)
            for (int k = 0; k < device::kLinearStep; ++k) {
              const long long want = from + k < kIn ? 2 * (featureOf(tile, row, head) * kIn + from + k) : -1;
              ASSERT_EQ(got[row * device::kLinearStep + k], want) << "tile " << tile << ", row " << row << ", " << k;
            }
        }
    }
}

TEST(LinearMaps, RowsPastTheLastAreZeros) {
  const device::TensorMapShape map = device::linear_rows_map(nullptr, 64, 40, 32);
  const std::vector<long long> got = elementsOf(map, {0, 32, 0, 0});
  ASSERT_EQ(got.size(), size_t(32 * 64));
  EXPECT_EQ(got[0], 2 * 32 * 64);
  EXPECT_EQ(got[7 * 64 + 63], 2 * (39 * 64 + 63));
  EXPECT_EQ(got[8 * 64], -1);
}

TEST(LinearMaps, TilesAreThoseThatThePartsOfAHeadDivide) {
  LinearShape shape;
  shape.in = 2880, shape.features = {4096, 512, 512}, shape.rows = 64, shape.head = 64, shape.arch = "sm_90a";
  const auto served = [&] { return linearSm90Schedule(shape).has_value(); };
  EXPECT_TRUE(served());
  for (auto [head, fits] : {std::pair(16, true), {32, true}, {48, false}, {96, false}, {128, true}, {256, true}}) {
    shape.head = head;
    EXPECT_EQ(served(), fits) << head;
  }
  shape.head = 64, shape.rows = 16;
  EXPECT_FALSE(served()) << "few rows";
  shape.rows = 64, shape.features = {4096, 576, 512};
  EXPECT_TRUE(served());
  shape.adapted = true;
  EXPECT_FALSE(served()) << "a pair of tiles would be of two matrices";
}

TEST(LinearMaps, EveryRowHasATileAndEveryBlockAStep) {
  LinearShape shape;
  shape.arch = "sm_90a";
  for (int64_t in : {64, 128, 384, 2880, 4096})
    for (int64_t features : {64, 512, 2880, 5120, 201088})
      for (int64_t rows : {17, 32, 33, 64, 65, 96, 97, 150, 192, 256, 257, 300, 1000}) {
        shape.in = in, shape.features = {features}, shape.rows = rows;
        const std::optional<LinearSchedule> s = linearSm90Schedule(shape);
        ASSERT_TRUE(s) << in << " " << features << " " << rows;
        const int64_t blocks = (rows + s->rows - 1) / s->rows, steps = (in + 63) / 64;
        EXPECT_GE(s->rows * blocks, rows);
        EXPECT_LE(s->rows, 256);
        EXPECT_LT((s->split - 1) * ((steps + s->split - 1) / s->split), steps);
        EXPECT_LE(s->sharedBytes, 227 * 1024);
      }
}
