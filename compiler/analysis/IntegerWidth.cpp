// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The proof that 32 or 64 bits hold all integers of a function, and the text of an expression for its error.
#include "compiler/analysis/IntegerWidth.h"
#include "compiler/analysis/IntegerRange.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace maskjit;
using namespace maskjit::mask;

static std::string text(Value value, int depth);

static std::string binary(Operation *op, StringRef symbol, int depth) {
  return ("(" + text(op->getOperand(0), depth) + " " + symbol + " " + text(op->getOperand(1), depth) + ")").str();
}
static std::string call(Operation *op, StringRef name, int depth) {
  return (name + "(" + text(op->getOperand(0), depth) + ", " + text(op->getOperand(1), depth) + ")").str();
}

/// Names of a function's arguments: coordinates, or bounds of ranges of them.
static std::string argumentName(BlockArgument argument) {
  StringRef derived = cast<FuncOp>(argument.getOwner()->getParentOp()).getSymName().split('.').second;
  bool isScore = derived.starts_with("score");
  SmallVector<StringRef> names = isScore ? SmallVector<StringRef>{"s", "b", "h"} : SmallVector<StringRef>{"b", "h"};
  if (derived == "keys" || derived == "full_keys" || derived == "classify")
    names.append({"q0", "q1"});
  if (derived == "queries" || derived == "full_queries" || derived == "classify")
    names.append({"k0", "k1"});
  if (derived.empty() || isScore || derived == "row")
    names.push_back("q");
  if (derived.empty() || isScore || derived == "column")
    names.push_back("k");
  return argument.getArgNumber() < names.size() ? names[argument.getArgNumber()].str() : "?";
}

static std::string text(Value value, int depth) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argumentName(argument);
  if (depth == 0)
    return "...";
  --depth;
  return llvm::TypeSwitch<Operation *, std::string>(value.getDefiningOp())
      .Case([](ConstantOp op) { return std::to_string(cast<IntegerAttr>(op.getValue()).getValue().getSExtValue()); })
      .Case([](ParamOp op) { return op.getName().str(); })
      .Case([&](LoadOp op) { return op.getName().str() + "[" + text(op.getPosition(), depth) + "]"; })
      .Case([&](AddOp op) { return binary(op, "+", depth); })
      .Case([&](SubOp op) { return binary(op, "-", depth); })
      .Case([&](MulOp op) { return binary(op, "*", depth); })
      .Case([&](FloorDivOp op) { return binary(op, "/", depth); })
      .Case([&](ModOp op) { return binary(op, "%", depth); })
      .Case([&](MinOp op) { return call(op, "min", depth); })
      .Case([&](MaxOp op) { return call(op, "max", depth); })
      .Default([](Operation *op) { return op->getName().stripDialect().str(); });
}

std::string maskjit::describeExpression(Value value) { return text(value, /*depth=*/4); }

static std::string decimal(IntegerRange::Integer value) {
  if (value <= -IntegerRange::kLimit || value >= IntegerRange::kLimit)
    return value < 0 ? "below -2^100" : "above 2^100";
  bool negative = value < 0;
  std::string digits;
  for (; value != 0 || digits.empty(); value /= 10)
    digits.insert(digits.begin(), char('0' + int(value < 0 ? -(value % 10) : value % 10)));
  return negative ? "-" + digits : digits;
}

/// Calls `visit(value, range)` for every integer that an operation of `func` computes, until it returns false.
template <class Visit> static bool visitIntegers(FuncOp func, Visit visit) {
  IntegerRanges ranges;
  WalkResult result = func.walk([&](Operation *op) {
    for (Value value : op->getResults())
      if (value.getType().isIndex() && !visit(value, ranges.of(value)))
        return WalkResult::interrupt();
    return WalkResult::advance();
  });
  return !result.wasInterrupted();
}

FailureOr<unsigned> maskjit::requiredWidth(FuncOp func) {
  unsigned width = 32;
  bool fits = visitIntegers(func, [&](Value value, maskjit::IntegerRange range) {
    if (!range.fits(32))
      width = 64;
    if (range.fits(64))
      return true;
    value.getDefiningOp()->emitError() << "'" << describeExpression(value) << "' can be anything in ["
                                       << decimal(range.min) << ", " << decimal(range.max)
                                       << "], which 64 bits do not hold; declare narrower ranges of its parameters";
    return false;
  });
  if (!fits)
    return failure();
  return width;
}

std::optional<unsigned> maskjit::fittingWidth(FuncOp func) {
  unsigned width = 32;
  bool fits = visitIntegers(func, [&](Value, maskjit::IntegerRange range) {
    if (!range.fits(32))
      width = 64;
    return range.fits(64);
  });
  return fits ? std::optional(width) : std::nullopt;
}
