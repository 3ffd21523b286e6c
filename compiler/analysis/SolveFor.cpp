// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Equivalences that move a coordinate out of monotone functions, one law a case.
#include "compiler/analysis/SolveFor.h"
#include "compiler/analysis/IntegerRange.h"
#include "compiler/analysis/Predicates.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace maskjit;
using namespace maskjit::mask;

namespace {

class Solver {
public:
  Solver(FuncOp func, Value coordinate) : func(func), coordinate(coordinate), builder(func.getContext()) {}
  void run();

private:
  bool depends(Value value, Value on);
  bool varies(Value value) { return depends(value, func.getArgument(2)) || depends(value, func.getArgument(3)); }
  bool isInvertible(Value value);
  Value solve(Predicate predicate, Value lhs, Value rhs);
  Value solveInverse(Predicate predicate, Operation *function, Value value);
  Value least(Operation *function, Value value);
  Value compare(Predicate predicate, Value lhs, Value rhs) {
    return builder.createOrFold<CmpOp>(location, predicate, lhs, rhs);
  }
  Value both(Value a, Value b) { return builder.createOrFold<AndOp>(location, a, b); }
  Value either(Value a, Value b) { return builder.createOrFold<OrOp>(location, a, b); }
  Value sum(Value a, int64_t b) {
    return builder.createOrFold<AddOp>(location, a, ConstantOp::create(builder, location, b));
  }

  FuncOp func;
  Value coordinate;
  OpBuilder builder;
  Location location = UnknownLoc::get(builder.getContext());
  IntegerRanges ranges;
  llvm::DenseMap<std::pair<Value, Value>, bool> dependsMemo;
};

} // namespace

bool Solver::depends(Value value, Value on) {
  if (value == on)
    return true;
  if (isa<BlockArgument>(value))
    return false;
  if (auto it = dependsMemo.find({value, on}); it != dependsMemo.end())
    return it->second;
  bool result = llvm::any_of(value.getDefiningOp()->getOperands(), [&](Value operand) { return depends(operand, on); });
  return dependsMemo[{value, on}] = result;
}

/// A function of the coordinate that does not descend and whose inverse can be written down.
bool Solver::isInvertible(Value value) {
  if (!depends(value, coordinate))
    return false;
  if (auto load = value.getDefiningOp<LoadOp>())
    return func.lookupParam(load.getName()).getIsSorted();
  if (auto division = value.getDefiningOp<FloorDivOp>())
    return !varies(division.getRhs()) && ranges.of(division.getRhs()).min >= 1;
  return false;
}

/// The least argument at which `function` reaches `value`.
Value Solver::least(Operation *function, Value value) {
  if (auto division = dyn_cast<FloorDivOp>(function)) // x / c >= v  <=>  x >= v * c
    return builder.createOrFold<MulOp>(location, value, division.getRhs());
  auto load = cast<LoadOp>(function);
  maskjit::IntegerRange index = ranges.of(load.getPosition());
  auto farthest = std::max(std::max(index.max, -index.min), maskjit::IntegerRange::Integer(kMaxPosition));
  int64_t bound = farthest < (int64_t(1) << 60) ? int64_t(llvm::PowerOf2Ceil(uint64_t(farthest) + 1)) : INT64_MAX / 2;
  return FirstOp::create(builder, location, load.getNameAttr(), value, bound, /*below=*/index.min < 0);
}

/// function(x) (predicate) value, as a condition on x.
Value Solver::solveInverse(Predicate predicate, Operation *function, Value value) {
  Value argument = function->getOperand(0);
  switch (predicate) {
  case Predicate::ge:
    return solve(Predicate::ge, argument, least(function, value));
  case Predicate::gt:
    return solve(Predicate::ge, argument, least(function, sum(value, 1)));
  case Predicate::le:
    return solve(Predicate::lt, argument, least(function, sum(value, 1)));
  case Predicate::lt:
    return solve(Predicate::lt, argument, least(function, value));
  case Predicate::eq:
    return both(solveInverse(Predicate::ge, function, value), solveInverse(Predicate::le, function, value));
  case Predicate::ne:
    return either(solveInverse(Predicate::lt, function, value), solveInverse(Predicate::gt, function, value));
  }
  llvm_unreachable("all predicates are listed");
}

Value Solver::solve(Predicate predicate, Value lhs, Value rhs) {
  auto known = [&](Value value) { return !depends(value, coordinate); };
  if (known(lhs) && !known(rhs)) // the coordinate to the left
    return solve(swapped(predicate), rhs, lhs);
  if (isInvertible(lhs) && known(rhs))
    return solveInverse(predicate, lhs.getDefiningOp(), rhs);
  if (Operation *op = lhs.getDefiningOp(); op && known(rhs) && isa<AddOp, SubOp>(op)) {
    Value a = op->getOperand(0), b = op->getOperand(1);
    if (isa<AddOp>(op) && isInvertible(b) && known(a)) // addition commutes
      std::swap(a, b);
    if (isInvertible(a) && known(b)) // f(x) + b <= r  <=>  f(x) <= r - b
      return solve(predicate, a,
                   isa<AddOp>(op) ? builder.createOrFold<SubOp>(location, rhs, b)
                                  : builder.createOrFold<AddOp>(location, rhs, b));
    if (isa<SubOp>(op) && isInvertible(b) && known(a)) // a - f(x) <= r  <=>  f(x) >= a - r
      return solve(swapped(predicate), b, builder.createOrFold<SubOp>(location, a, rhs));
  }
  for (bool swap : {false, true}) {
    Value extreme = swap ? rhs : lhs, other = swap ? lhs : rhs;
    Operation *op = extreme.getDefiningOp();
    if (!isa_and_nonnull<MinOp, MaxOp>(op) || !varies(extreme))
      continue;
    Predicate p = swap ? swapped(predicate) : predicate;
    if (p == Predicate::eq)
      return both(solve(Predicate::le, extreme, other), solve(Predicate::ge, extreme, other));
    if (p == Predicate::ne)
      return either(solve(Predicate::lt, extreme, other), solve(Predicate::gt, extreme, other));
    Value a = solve(p, op->getOperand(0), other), b = solve(p, op->getOperand(1), other);
    bool isAbove = p == Predicate::gt || p == Predicate::ge; // min(a, b) >= r  <=>  a >= r and b >= r
    return isa<MinOp>(op) == isAbove ? both(a, b) : either(a, b);
  }
  return compare(predicate, lhs, rhs);
}

void Solver::run() {
  SmallVector<ModOp> remainders;
  func.walk([&](ModOp op) {
    Attribute divisor;
    if (varies(op.getResult()) && matchPattern(op.getRhs(), m_Constant(&divisor)) &&
        cast<IntegerAttr>(divisor).getValue().sgt(0))
      remainders.push_back(op);
  });
  for (ModOp op : remainders) {
    builder.setInsertionPoint(op);
    Value quotient = builder.createOrFold<FloorDivOp>(op.getLoc(), op.getLhs(), op.getRhs());
    Value multiple = builder.createOrFold<MulOp>(op.getLoc(), quotient, op.getRhs());
    op.replaceAllUsesWith(builder.createOrFold<SubOp>(op.getLoc(), op.getLhs(), multiple));
  }
  SmallVector<CmpOp> comparisons;
  func.walk([&](CmpOp op) { comparisons.push_back(op); });
  for (CmpOp op : comparisons) {
    builder.setInsertionPoint(op);
    location = op.getLoc();
    Value solved = solve(op.getPredicate(), op.getLhs(), op.getRhs());
    op.replaceAllUsesWith(solved);
  }
}

void maskjit::solveFor(FuncOp predicate, Value coordinate) { Solver(predicate, coordinate).run(); }

void maskjit::expandFirst(FuncOp func) {
  SmallVector<FirstOp> firsts;
  func.walk([&](FirstOp op) { firsts.push_back(op); });
  for (FirstOp op : firsts) {
    OpBuilder builder(op);
    Location location = op.getLoc();
    Value position = SearchOp::create(builder, location, op.getNameAttr(), op.getValue());
    Value result = position;
    auto replaceWhere = [&](Predicate predicate, Value limit, int64_t value) {
      Value outside = CmpOp::create(builder, location, predicate, position, limit);
      result = SelectOp::create(builder, location, outside, ConstantOp::create(builder, location, value), result);
    };
    if (op.getBelow()) // every element is large enough, and so is whatever stands before the first
      replaceWhere(Predicate::le, ConstantOp::create(builder, location, int64_t(0)), -int64_t(op.getBound()));
    // no element is, nor what stands after the last
    replaceWhere(Predicate::ge, SizeOp::create(builder, location, op.getNameAttr()), op.getBound());
    op.replaceAllUsesWith(result);
    op.erase();
  }
}
