// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random masks as text, with random parameters: what the derivations are tested on.
#pragma once
#include "compiler/Compiler.h"
#include <random>
#include <string>
#include <vector>

namespace maskjit::test {

class Random {
public:
  explicit Random(uint64_t seed) : engine(seed) {}
  /// An integer of [low, high].
  int64_t between(int64_t low, int64_t high) { return low + int64_t(engine() % uint64_t(high - low + 1)); }
  bool chance(int percent) { return between(1, 100) <= percent; }
  template <class T> const T &pick(const std::vector<T> &from) { return from[between(0, int64_t(from.size()) - 1)]; }

private:
  std::mt19937_64 engine;
};

/// What occurs in an expression.
struct Features {
  bool unions = false, division = false, arrays = false, calls = false;
};

struct RandomMask {
  std::string text;
  Features features;
};
RandomMask randomMask(Random &random);

/// Values of all parameters of a mask for kBatch sequences, scalars and arrays, within their ranges.
inline constexpr int64_t kBatch = 2;
struct RandomValues {
  std::vector<std::vector<int32_t>> memory; // one sequence after the other
  std::vector<ParamValues> values() const;
  std::string describe(const Mask &mask) const;
};
/// `large` draws from the whole declared range of scalars, else from small values near the tiles.
RandomValues randomValues(const Mask &mask, Random &random, bool large);

} // namespace maskjit::test
