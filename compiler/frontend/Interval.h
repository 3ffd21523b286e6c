// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The values that an integer expression can take, as an interval.
#pragma once
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>

namespace maskjit::frontend {

/// 128 bits: sums, products and quotients of two intervals that fit 64 bits never overflow here.
using Wide = __int128;

/// Inclusive at both ends, never empty.
struct Interval {
  Wide low = 0, high = 0;

  static Interval constant(Wide value) { return {value, value}; }
  bool contains(Wide value) const { return low <= value && value <= high; }
  bool disjoint(Interval other) const { return high < other.low || other.high < low; }
  bool fits64() const {
    return low >= std::numeric_limits<int64_t>::min() && high <= std::numeric_limits<int64_t>::max();
  }
};

inline Wide floorDiv(Wide a, Wide b) { return b == 0 ? 0 : a / b - (a % b != 0 && (a % b < 0) != (b < 0)); }
inline Wide floorMod(Wide a, Wide b) { return b == 0 ? a : a - b * floorDiv(a, b); }

inline Interval hull(std::initializer_list<Wide> values) { return {std::min(values), std::max(values)}; }
inline Interval operator+(Interval a, Interval b) { return {a.low + b.low, a.high + b.high}; }
inline Interval operator-(Interval a, Interval b) { return {a.low - b.high, a.high - b.low}; }
inline Interval operator*(Interval a, Interval b) {
  return hull({a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
}
/// Floor division; `b` does not contain 0.
inline Interval operator/(Interval a, Interval b) {
  return hull({floorDiv(a.low, b.low), floorDiv(a.low, b.high), floorDiv(a.high, b.low), floorDiv(a.high, b.high)});
}
/// The remainder of floor division, of the divisor's sign; `b` does not contain 0.
inline Interval operator%(Interval a, Interval b) {
  if (b.low > 0)
    return a.low >= 0 && a.high < b.low ? a : Interval{0, a.low >= 0 ? std::min(a.high, b.high - 1) : b.high - 1};
  return {b.low + 1, 0};
}
inline Interval least(Interval a, Interval b) { return {std::min(a.low, b.low), std::min(a.high, b.high)}; }
inline Interval greatest(Interval a, Interval b) { return {std::max(a.low, b.low), std::max(a.high, b.high)}; }

} // namespace maskjit::frontend
