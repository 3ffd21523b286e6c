// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which integers a value of a mask can be, whatever the parameters: interval arithmetic over the declared ranges.
#pragma once
#include "dialects/mask/MaskDialect.h"
#include "llvm/ADT/DenseMap.h"

namespace maskjit {

/// Inclusive bounds in 128 bits. Beyond `kLimit` nothing is told apart.
struct IntegerRange {
  using Integer = __int128;
  static constexpr Integer kLimit = Integer(1) << 100;
  Integer min = -kLimit, max = kLimit;

  bool operator==(const IntegerRange &other) const { return min == other.min && max == other.max; }
  bool isConstant() const { return min == max; }
  /// True if `bits`-bit two's complement holds both bounds.
  bool fits(unsigned bits) const { return min >= -(Integer(1) << (bits - 1)) && max < (Integer(1) << (bits - 1)); }
};

IntegerRange operator+(IntegerRange a, IntegerRange b);
IntegerRange operator-(IntegerRange a, IntegerRange b);
IntegerRange operator*(IntegerRange a, IntegerRange b);
IntegerRange floorDiv(IntegerRange a, IntegerRange b);
IntegerRange floorMod(IntegerRange a, IntegerRange b);
IntegerRange hull(IntegerRange a, IntegerRange b);

/// Always true, always false, or neither.
std::optional<bool> compare(mask::Predicate predicate, IntegerRange a, IntegerRange b);

/// Ranges of the integer values of one function, computed when asked for.
class IntegerRanges {
public:
  IntegerRange of(mlir::Value value);

private:
  IntegerRange compute(mlir::Value value);
  llvm::DenseMap<mlir::Value, IntegerRange> known;
};

/// The range of argument `index` of a function of a mask: a coordinate, or a bound of a range of coordinates.
IntegerRange argumentRange(mask::FuncOp func, unsigned index);

} // namespace maskjit
