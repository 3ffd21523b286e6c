// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operators: arithmetic over the integers and over fp32, comparisons, truth values.
#include "compiler/frontend/MaskEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <fmt/format.h>

namespace maskjit::frontend {

// ---- operators ----

std::optional<Value> MaskEmitter::chain(Frame &frame, const Expr &expr) {
  Emitted value = emit(frame, expr.operands[0].expr);
  for (size_t i = 0; value && i < expr.operands.size(); ++i) {
    const Operand &operand = expr.operands[i];
    const Emitted next = i == 0 ? value : emit(frame, operand.expr);
    if (!next)
      return {};
    if (next->kind == ValueKind::Truth)
      return wrongKind(frame, frame.tree.expr(operand.expr), frame.inScore ? "a number" : "an integer", *next);
    if (i > 0)
      value = arithmetic(frame, expr, operand.range, operand.op, *value, *next);
    if (value && value->kind == ValueKind::Integer && !value->range.fits64())
      return value; // refused by the caller, before the range leaves what 128 bits hold
  }
  return value;
}

std::optional<Value> MaskEmitter::arithmetic(Frame &frame, const Expr &expr, SourceRange range, Operator op, Value a,
                                             Value b) {
  const mlir::Location loc = location(frame, range);
  if (op == Operator::Div || op == Operator::Rem)
    return divide(frame, expr, range, op, a, b);
  if (a.kind == ValueKind::Integer && b.kind == ValueKind::Integer) {
    switch (op) {
    case Operator::Add:
      return integer(ops.binary<mask::AddOp>(loc, a.ir, b.ir), a.range + b.range);
    case Operator::Sub:
      return integer(ops.binary<mask::SubOp>(loc, a.ir, b.ir), a.range - b.range);
    default:
      return integer(ops.binary<mask::MulOp>(loc, a.ir, b.ir), a.range * b.range);
    }
  }
  a = toReal(loc, a);
  b = toReal(loc, b);
  switch (op) {
  case Operator::Add:
    return Value{ValueKind::Real, ops.binary<mlir::arith::AddFOp>(loc, a.ir, b.ir), {}};
  case Operator::Sub:
    return Value{ValueKind::Real, ops.binary<mlir::arith::SubFOp>(loc, a.ir, b.ir), {}};
  default:
    return Value{ValueKind::Real, ops.binary<mlir::arith::MulFOp>(loc, a.ir, b.ir), {}};
  }
}

/// In a mask both round towards minus infinity. In a score `/` is the quotient of fp32.
std::optional<Value> MaskEmitter::divide(Frame &frame, const Expr &expr, SourceRange range, Operator op, Value a,
                                         Value b) {
  const mlir::Location loc = location(frame, range);
  const bool integers = a.kind == ValueKind::Integer && b.kind == ValueKind::Integer;
  if (op == Operator::Rem && !integers)
    return fail(frame, range, "'%' takes integers, got a real number");
  if (op == Operator::Div && (frame.inScore || !integers)) {
    a = toReal(loc, a);
    b = toReal(loc, b);
    return Value{ValueKind::Real, ops.binary<mlir::arith::DivFOp>(loc, a.ir, b.ir), {}};
  }
  if (b.range.contains(0)) {
    // The divisor's text: what stands behind the operator.
    const Expr *divisor = nullptr;
    for (const Operand &operand : expr.operands)
      if (operand.op == op && operand.range.begin == range.begin)
        divisor = &frame.tree.expr(operand.expr);
    const std::string what = b.range.low == b.range.high ? "the divisor is 0"
                                                         : fmt::format("the divisor can be 0: it lies in {}..{}",
                                                                       decimal(b.range.low), decimal(b.range.high));
    std::string advice;
    if (divisor && divisor->kind == ExprKind::Name && frame.params.count(divisor->name))
      advice = fmt::format("declare {}: int 1..{}", divisor->name, decimal(std::max<Wide>(b.range.high, 1)));
    else if (b.range.low != b.range.high)
      advice = "write max(1, ...)";
    return fail(frame, divisor ? divisor->range : range, what, advice);
  }
  if (op == Operator::Div)
    return integer(ops.binary<mask::FloorDivOp>(loc, a.ir, b.ir), a.range / b.range);
  return integer(ops.binary<mask::ModOp>(loc, a.ir, b.ir), a.range % b.range);
}

static mask::Predicate predicateOf(Operator op) {
  switch (op) {
  case Operator::Lt:
    return mask::Predicate::lt;
  case Operator::Le:
    return mask::Predicate::le;
  case Operator::Gt:
    return mask::Predicate::gt;
  case Operator::Ge:
    return mask::Predicate::ge;
  case Operator::Eq:
    return mask::Predicate::eq;
  default:
    return mask::Predicate::ne;
  }
}

/// a < b <= c means a < b && b <= c.
std::optional<Value> MaskEmitter::comparison(Frame &frame, const Expr &expr) {
  std::vector<Value> values;
  int direction = 0; // of < and <=, or of > and >=
  for (const Operand &operand : expr.operands) {
    const Expr &part = frame.tree.expr(operand.expr);
    const Emitted value = emit(frame, operand.expr);
    if (!value)
      return {};
    if (value->kind == ValueKind::Truth)
      return fail(frame, part.range, "expected an integer, got a truth value",
                  operand.op == Operator::Eq || operand.op == Operator::Ne || expr.operands[1].op == Operator::Eq
                      ? "truth values are not compared: write (a && b) || (!a && !b)"
                      : "combine truth values with '&&', '||' and '!'");
    if (value->kind == ValueKind::Real)
      return fail(frame, part.range, "real numbers are not compared", "min and max choose between them");
    const bool up = operand.op == Operator::Lt || operand.op == Operator::Le,
               down = operand.op == Operator::Gt || operand.op == Operator::Ge;
    const bool turns =
        (up && direction < 0) || (down && direction > 0) || (operand.op == Operator::Ne && expr.operands.size() > 2);
    if (turns)
      return fail(frame, operand.range, "this chain of comparisons turns around",
                  "write the parts with '&&' between them");
    direction = up ? 1 : down ? -1 : direction;
    values.push_back(*value);
  }
  mlir::Value all;
  for (size_t i = 1; i < values.size(); ++i) {
    const mlir::Location loc = location(frame, expr.operands[i].range);
    const mlir::Value each = ops.compare(loc, predicateOf(expr.operands[i].op), values[i - 1].ir, values[i].ir);
    all = all ? ops.binary<mask::AndOp>(loc, all, each) : each;
  }
  return Value{ValueKind::Truth, all, {}};
}

std::optional<Value> MaskEmitter::logic(Frame &frame, const Expr &expr) {
  mlir::Value all;
  for (const Operand &operand : expr.operands) {
    const Emitted value = emit(frame, operand.expr, ValueKind::Truth);
    if (!value)
      return {};
    const mlir::Location loc = location(frame, operand.range);
    if (!all)
      all = value->ir;
    else
      all = expr.kind == ExprKind::And ? ops.binary<mask::AndOp>(loc, all, value->ir)
                                       : ops.binary<mask::OrOp>(loc, all, value->ir);
  }
  return Value{ValueKind::Truth, all, {}};
}

} // namespace maskjit::frontend
