// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Interval arithmetic over the declared ranges of parameters and the ranges of coordinates.
#include "compiler/analysis/IntegerRange.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace maskjit;
using namespace maskjit::mask;
using Integer = maskjit::IntegerRange::Integer;
using Range = maskjit::IntegerRange;

static Integer clamp(Integer value) { return std::min(std::max(value, -Range::kLimit), Range::kLimit); }
static Range ordered(Integer a, Integer b) { return {clamp(std::min(a, b)), clamp(std::max(a, b))}; }

static Integer floorDivide(Integer a, Integer b) {
  return b == 0 ? 0 : a / b - (a % b != 0 && (a % b < 0) != (b < 0) ? 1 : 0);
}

Range maskjit::operator+(Range a, Range b) { return ordered(a.min + b.min, a.max + b.max); }
Range maskjit::operator-(Range a, Range b) { return ordered(a.min - b.max, a.max - b.min); }
Range maskjit::hull(Range a, Range b) { return {std::min(a.min, b.min), std::max(a.max, b.max)}; }

/// The product of two bounds; saturates, for the product of two large ones does not fit 128 bits.
static Integer product(Integer a, Integer b) {
  Integer result = 0;
  if (!__builtin_mul_overflow(a, b, &result))
    return clamp(result);
  return (a < 0) == (b < 0) ? Range::kLimit : -Range::kLimit;
}
Range maskjit::operator*(Range a, Range b) {
  Integer corners[] = {product(a.min, b.min), product(a.min, b.max), product(a.max, b.min), product(a.max, b.max)};
  return {*std::min_element(corners, corners + 4), *std::max_element(corners, corners + 4)};
}

Range maskjit::floorDiv(Range a, Range b) {
  Range result = {Range::kLimit, -Range::kLimit};
  auto include = [&](Integer divisor) {
    result = hull(result, ordered(floorDivide(a.min, divisor), floorDivide(a.max, divisor)));
  };
  if (b.min <= 0 && 0 <= b.max) // by 0: 0
    result = {0, 0};
  if (b.max > 0) // extremes lie at the divisors nearest to and farthest from 0
    include(std::max<Integer>(b.min, 1)), include(b.max);
  if (b.min < 0)
    include(b.min), include(std::min<Integer>(b.max, -1));
  return result;
}

Range maskjit::floorMod(Range a, Range b) {
  if (b.min > 0 && a.min >= 0 && a.max < b.min) // smaller than the divisor
    return a;
  Range result = {0, 0};
  if (b.max > 0) // of the divisor's sign, smaller than it
    result = hull(result, {0, b.max - 1});
  if (b.min < 0)
    result = hull(result, {b.min + 1, 0});
  if (b.min <= 0 && 0 <= b.max) // by 0: the dividend
    result = hull(result, a);
  return result;
}

std::optional<bool> maskjit::compare(Predicate predicate, Range a, Range b) {
  auto ordering = [](bool always, bool never) {
    return always ? std::optional(true) : never ? std::optional(false) : std::nullopt;
  };
  bool apart = a.max < b.min || b.max < a.min, same = a.isConstant() && a == b;
  switch (predicate) {
  case Predicate::eq:
    return ordering(same, apart);
  case Predicate::ne:
    return ordering(apart, same);
  case Predicate::lt:
    return ordering(a.max < b.min, a.min >= b.max);
  case Predicate::le:
    return ordering(a.max <= b.min, a.min > b.max);
  case Predicate::gt:
    return ordering(a.min > b.max, a.max <= b.min);
  case Predicate::ge:
    return ordering(a.min >= b.max, a.max < b.min);
  }
  llvm_unreachable("all predicates are listed");
}

Range maskjit::argumentRange(FuncOp func, unsigned index) {
  StringRef derived = func.getSymName().split('.').second;
  bool isScore = derived.starts_with("score");
  if (isScore && index == 0) // the score itself, fp32
    return {};
  unsigned coordinate = index - isScore;
  if (coordinate < 2) // b, h
    return {0, kMaxBatch - 1};
  // The rest of the predicate, of scores, rows and columns are positions; else pairs of a begin and an end.
  bool isPosition = derived.empty() || isScore || derived == "row" || derived == "column";
  bool isEnd = !isPosition && coordinate % 2 == 1;
  return isEnd ? Range{1, kMaxPosition} : Range{0, kMaxPosition - 1};
}

static Range declared(Operation *op, StringRef name) {
  ParamAttr param = op->getParentOfType<FuncOp>().lookupParam(name);
  return {param.getMin(), param.getMax()};
}

Range IntegerRanges::of(Value value) {
  if (auto it = known.find(value); it != known.end())
    return it->second;
  Range range = compute(value);
  return known[value] = range;
}

Range IntegerRanges::compute(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argumentRange(cast<FuncOp>(argument.getOwner()->getParentOp()), argument.getArgNumber());
  return llvm::TypeSwitch<Operation *, Range>(value.getDefiningOp())
      .Case([](ConstantOp op) -> Range {
        int64_t constant = cast<IntegerAttr>(op.getValue()).getValue().getSExtValue();
        return {constant, constant};
      })
      .Case<ParamOp, LoadOp>([](auto op) { return declared(op, op.getName()); })
      .Case<SearchOp>([](auto) -> Range { return {0, kMaxPosition}; })
      .Case([](FirstOp op) -> Range {
        int64_t bound = op.getBound();
        return {op.getBelow() ? -bound : 0, bound};
      })
      .Case<SizeOp>([](auto) -> Range { return {1, kMaxPosition}; })
      .Case([&](AddOp op) { return of(op.getLhs()) + of(op.getRhs()); })
      .Case([&](SubOp op) { return of(op.getLhs()) - of(op.getRhs()); })
      .Case([&](MulOp op) { return of(op.getLhs()) * of(op.getRhs()); })
      .Case([&](FloorDivOp op) { return floorDiv(of(op.getLhs()), of(op.getRhs())); })
      .Case([&](ModOp op) { return floorMod(of(op.getLhs()), of(op.getRhs())); })
      .Case([&](MinOp op) -> Range {
        Range a = of(op.getLhs()), b = of(op.getRhs());
        return {std::min(a.min, b.min), std::min(a.max, b.max)};
      })
      .Case([&](MaxOp op) -> Range {
        Range a = of(op.getLhs()), b = of(op.getRhs());
        return {std::max(a.min, b.min), std::max(a.max, b.max)};
      })
      .Case([&](SelectOp op) { return hull(of(op.getIfTrue()), of(op.getIfFalse())); })
      .Default([](Operation *) { return Range(); });
}
