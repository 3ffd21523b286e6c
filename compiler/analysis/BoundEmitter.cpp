// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Extremes of expressions over a tile: linear parts corner by corner, each other operation by its own rule, and the
// declared range where there is none.
#include "compiler/analysis/BoundEmitter.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace maskjit;
using namespace maskjit::mask;

BoundEmitter::BoundEmitter(TileSpace &space, FuncOp derived, CoordinateArguments q, CoordinateArguments k)
    : space(space), builder(OpBuilder::atBlockEnd(&derived.getBody().front())), location(space.predicate().getLoc()),
      q(q), k(k) {
  for (unsigned i : {0, 1}) // b, h
    invariants.map(space.predicate().getArgument(i), derived.getArgument(i));
  if (q.point)
    invariants.map(space.q(), q.point);
  if (k.point)
    invariants.map(space.k(), k.point);
}

Value BoundEmitter::constant(int64_t value) { return ConstantOp::create(builder, location, value); }
Value BoundEmitter::constant(bool value) { return ConstantOp::create(builder, location, value); }

/// A value that is the same in the whole tile, computed in the derived function.
Value BoundEmitter::clone(Value value) {
  if (Value known = invariants.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  for (Value operand : op->getOperands())
    clone(operand);
  return builder.clone(*op, invariants)->getResult(0);
}

Value BoundEmitter::term(TermId id) {
  const Term term = space.term(id);
  const CoordinateArguments &arguments = term.value == space.q() ? q : k;
  switch (term.kind) {
  case Term::Coordinate:
    return arguments.point;
  case Term::Begin:
    return arguments.begin;
  case Term::End:
    return arguments.end;
  case Term::Invariant:
    return clone(term.value);
  case Term::Lower:
    return extremeOfOpaque(term.value, false);
  case Term::Upper:
    return extremeOfOpaque(term.value, true);
  case Term::Opaque:
    break;
  }
  llvm_unreachable("an opaque term has been eliminated");
}

/// The positive terms first, then what is subtracted, the constant last: `q0 + q_offset - window + 1`.
Value BoundEmitter::form(const LinearForm &form) {
  Value sum;
  for (bool positive : {true, false})
    for (auto [id, coefficient] : form.terms) {
      if ((coefficient > 0) != positive)
        continue;
      Value value = term(id);
      if (std::abs(coefficient) != 1)
        value = create<MulOp>(value, constant(std::abs(coefficient)));
      if (sum)
        sum = positive ? create<AddOp>(sum, value) : create<SubOp>(sum, value);
      else
        sum = positive ? value : create<SubOp>(constant(int64_t(0)), value);
    }
  if (!sum)
    return constant(form.constant);
  if (form.constant == 0)
    return sum;
  return form.constant > 0 ? create<AddOp>(sum, constant(form.constant)) : create<SubOp>(sum, constant(-form.constant));
}

/// Terms of either sign on their own side of the comparison; `a - b - 1 >= 0` is `a > b`.
Value BoundEmitter::condition(const Constraint &constraint) {
  LinearForm left, right;
  for (auto [id, coefficient] : constraint.form.terms)
    (coefficient > 0 ? left : right).terms.push_back({id, std::abs(coefficient)});
  int64_t constant = constraint.form.constant;
  bool isStrict = !constraint.isEquality && constant < 0;
  constant += isStrict;
  bool toLeft = constant > 0 && !right.terms.empty();
  (toLeft ? left : right).constant = toLeft ? constant : -constant;
  Predicate predicate = constraint.isEquality ? Predicate::eq : isStrict ? Predicate::gt : Predicate::ge;
  return create<CmpOp>(predicate, form(left), form(right));
}

// ---- projections ----

Value BoundEmitter::rounded(const Bound &bound, bool up) {
  if (bound.divisor == 1)
    return form(bound.form);
  LinearForm dividend = bound.form;
  if (up) // ceil(e / d) = floor((e + d - 1) / d)
    dividend.constant += bound.divisor - 1;
  return create<FloorDivOp>(form(dividend), constant(bound.divisor));
}

Value BoundEmitter::greatestLower(const Projection &projection) {
  Value result;
  for (const Bound &bound : projection.lower) {
    Value value = rounded(bound, true);
    result = result ? create<MaxOp>(result, value) : value;
  }
  return result;
}

Value BoundEmitter::leastEnd(const Projection &projection) {
  Value result;
  for (Bound bound : projection.upper) {
    bound.form.constant += bound.divisor; // floor(e / d) + 1 = floor((e + d) / d)
    Value value = rounded(bound, false);
    result = result ? create<MinOp>(result, value) : value;
  }
  return result;
}

Value BoundEmitter::conditions(const Projection &projection) {
  Value result = constant(!projection.isEmpty);
  for (const Constraint &constraint : projection.conditions)
    result = create<AndOp>(result, condition(constraint));
  return result;
}

Value BoundEmitter::isInhabited(const Projection &projection) {
  Value result = conditions(projection), begin = greatestLower(projection), end = leastEnd(projection);
  return begin && end ? create<AndOp>(result, create<CmpOp>(Predicate::lt, begin, end)) : result;
}

// ---- extremes over the tile ----

Value BoundEmitter::extreme(Value value, bool upper) {
  if (!space.varies(value))
    return clone(value);
  if (auto bound = space.extreme(space.linearizeWhole(value), upper))
    return form(*bound);
  return extremeOfOpaque(value, upper);
}

/// An extreme of a * b lies at a corner; if one factor is the same in the tile and not negative, at one of its ends.
Value BoundEmitter::product(Value a, Value b, bool upper) {
  for (auto [factor, other] : {std::pair(a, b), std::pair(b, a)})
    if (!space.varies(factor) && space.rangeOf(factor).min >= 0)
      return create<MulOp>(extreme(other, upper), clone(factor));
  Value result;
  for (bool i : {false, true})
    for (bool j : {false, true}) {
      Value corner = create<MulOp>(extreme(a, i), extreme(b, j));
      if (!result)
        result = corner;
      else
        result = upper ? create<MaxOp>(result, corner) : create<MinOp>(result, corner);
    }
  return result;
}

/// By a positive divisor that is the same in the tile, division does not descend; by a varying one the extremes lie at
/// corners, as long as it is positive.
Value BoundEmitter::quotient(FloorDivOp op, bool upper) {
  if (space.rangeOf(op.getRhs()).min < 1)
    return {};
  if (!space.varies(op.getRhs()))
    return create<FloorDivOp>(extreme(op.getLhs(), upper), clone(op.getRhs()));
  Value dividend = extreme(op.getLhs(), upper);
  Value small = create<FloorDivOp>(dividend, extreme(op.getRhs(), false));
  Value large = create<FloorDivOp>(dividend, extreme(op.getRhs(), true));
  return upper ? create<MaxOp>(small, large) : create<MinOp>(small, large);
}

Value BoundEmitter::extremeOfOpaque(Value value, bool upper) {
  if (Value known = extremes.lookup({value, upper}))
    return known;
  Value result;
  if (Operation *op = value.getDefiningOp())
    result =
        llvm::TypeSwitch<Operation *, Value>(op)
            .Case([&](LoadOp load) -> Value {
              if (!space.predicate().lookupParam(load.getName()).getIsSorted())
                return {};
              return LoadOp::create(builder, location, load.getType(), load.getNameAttr(),
                                    extreme(load.getPosition(), upper));
            })
            .Case([&](FirstOp first) -> Value {
              return FirstOp::create(builder, location, first.getNameAttr(), extreme(first.getValue(), upper),
                                     first.getBound(), first.getBelow());
            })
            .Case([&](AddOp sum) { return create<AddOp>(extreme(sum.getLhs(), upper), extreme(sum.getRhs(), upper)); })
            .Case([&](SubOp sum) { return create<SubOp>(extreme(sum.getLhs(), upper), extreme(sum.getRhs(), !upper)); })
            .Case([&](MulOp mul) { return product(mul.getLhs(), mul.getRhs(), upper); })
            .Case([&](FloorDivOp division) { return quotient(division, upper); })
            .Case([&](ModOp mod) -> Value { // 0 <= x mod d <= d - 1 for positive d
              if (space.rangeOf(mod.getRhs()).min < 1)
                return {};
              return upper ? create<SubOp>(extreme(mod.getRhs(), true), constant(int64_t(1))) : constant(int64_t(0));
            })
            .Case([&](MinOp min) { return create<MinOp>(extreme(min.getLhs(), upper), extreme(min.getRhs(), upper)); })
            .Case([&](MaxOp max) { return create<MaxOp>(extreme(max.getLhs(), upper), extreme(max.getRhs(), upper)); })
            .Case([&](SelectOp select) {
              Value a = extreme(select.getIfTrue(), upper), b = extreme(select.getIfFalse(), upper);
              return upper ? create<MaxOp>(a, b) : create<MinOp>(a, b);
            })
            .Default([](Operation *) { return Value(); });
  if (!result) { // what the declarations say
    maskjit::IntegerRange range = space.rangeOf(value);
    maskjit::IntegerRange::Integer limit = INT64_MAX - 1;
    result = constant(int64_t(upper ? std::min(range.max, limit) : std::max(range.min, -limit)));
  }
  return extremes[{value, upper}] = result;
}
