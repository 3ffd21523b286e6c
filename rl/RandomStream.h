// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random numbers addressed by (seed, purpose, index): no state to save, the same on every machine.
#pragma once
#include <cstdint>

namespace maskjit::rl {

/// SplitMix64's finaliser (Steele, Lea, Flood 2014): a bijection in which every input bit reaches every output bit.
constexpr uint64_t mixBits(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

/// A short sequence of numbers that belongs to one place of one stream.
class RandomStream {
public:
  RandomStream(uint64_t seed, uint64_t purpose, uint64_t index)
      : state(mixBits(mixBits(mixBits(seed) ^ purpose) ^ index)) {}
  uint64_t next() { return mixBits(state += 0x9e3779b97f4a7c15ull); }
  /// In [0, bound), bound > 0; the bias of at most bound / 2^64 is far below what any run can see.
  uint64_t below(uint64_t bound) { return uint64_t((unsigned __int128)next() * bound >> 64); }
  /// In [0, 1).
  double unit() { return double(next() >> 11) * 0x1p-53; }

private:
  uint64_t state;
};

} // namespace maskjit::rl
