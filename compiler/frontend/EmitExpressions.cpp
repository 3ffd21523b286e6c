// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Expressions: names, arithmetic over the integers and over fp32, comparisons, truth values.
#include "compiler/frontend/Imports.h"
#include "compiler/frontend/MaskEmitter.h"
#include "compiler/frontend/Names.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include <fmt/format.h>

namespace maskjit::frontend {

static std::string_view kindName(ValueKind kind) {
  return kind == ValueKind::Integer ? "an integer" : kind == ValueKind::Truth ? "a truth value" : "a real number";
}

static std::string decimal(Wide value) {
  if (value >= std::numeric_limits<int64_t>::min() && value <= std::numeric_limits<int64_t>::max())
    return fmt::format("{}", static_cast<int64_t>(value));
  return fmt::format("about {:.1e}", static_cast<double>(value));
}

// ---- values ----

/// A constant is known better than its operands' ranges tell: x - x is 0.
Value MaskEmitter::integer(mlir::Value ir, Interval range) {
  mlir::IntegerAttr attr;
  if (mlir::matchPattern(ir, mlir::m_Constant(&attr)))
    range = Interval::constant(attr.getValue().getSExtValue());
  return {ValueKind::Integer, ir, range};
}

Value MaskEmitter::constant(mlir::Location loc, int64_t value) { return integer(ops.integer(loc, value), {}); }

Value MaskEmitter::real(mlir::Location loc, double value) {
  return {ValueKind::Real, ops.real(loc, static_cast<float>(value)), {}};
}

Value MaskEmitter::toReal(mlir::Location loc, Value value) {
  if (value.kind == ValueKind::Real)
    return value;
  mlir::IntegerAttr attr;
  if (mlir::matchPattern(value.ir, mlir::m_Constant(&attr)))
    return {ValueKind::Real, ops.real(loc, static_cast<float>(attr.getValue().getSExtValue())), {}};
  return {ValueKind::Real, ops.unary<mask::ToFloatOp>(loc, value.ir), {}};
}

mlir::Location MaskEmitter::location(const Frame &frame, SourceRange range) {
  const SourceFile &file = frame.tree.source;
  if (file.built)
    return mlir::UnknownLoc::get(builder.getContext());
  const uint32_t line = file.lineOf(range.begin);
  return mlir::FileLineColLoc::get(builder.getContext(), file.name, line + 1, range.begin - file.lineStarts[line] + 1);
}

// ---- errors ----

std::optional<Value> MaskEmitter::fail(const Frame &frame, SourceRange at, std::string_view message,
                                       std::string_view advice) {
  if (!failure.message.empty())
    return {};
  failure = errorAt(frame.tree.span(at), message, advice);
  for (const Frame *inner = &frame; inner->caller; inner = inner->caller)
    failure.message +=
        "\n" + renderDiagnostic(inner->callSite, "note", fmt::format("in this call of '{}'", inner->mask.name));
  return {};
}

std::optional<Value> MaskEmitter::wrongKind(const Frame &frame, const Expr &expr, std::string_view wanted,
                                            Value value) {
  std::string_view advice;
  if (value.kind == ValueKind::Real)
    advice = "integers only here";
  else if (value.kind == ValueKind::Truth)
    advice = expr.kind == ExprKind::Comparison ? "combine comparisons with '&&' and '||'"
                                               : "combine truth values with '&&', '||' and '!'";
  else if (wanted == kindName(ValueKind::Truth))
    advice = "compare it, as in x != 0";
  return fail(frame, expr.range, fmt::format("expected {}, got {}", wanted, kindName(value.kind)), advice);
}

std::optional<Value> MaskEmitter::convert(Frame &frame, const Expr &expr, Value value, ValueKind wanted) {
  if (value.kind == wanted)
    return value;
  if (wanted == ValueKind::Real && value.kind == ValueKind::Integer)
    return toReal(location(frame, expr.range), value);
  return wrongKind(frame, expr, kindName(wanted), value);
}

std::optional<Value> MaskEmitter::unknownName(const Frame &frame, const Expr &expr) {
  const bool coordinate = expr.name.size() == 1 && std::string_view("bhqk").find(expr.name) != std::string_view::npos;
  if (coordinate) {
    std::string list;
    for (const Coordinate &each : frame.mask.coordinates)
      list += fmt::format("{}, ", each.name);
    return fail(frame, expr.nameRange,
                fmt::format("mask '{}' does not name the coordinate '{}'", frame.mask.name, expr.name),
                fmt::format("write mask {}({}{}...)", frame.mask.name, list, expr.name));
  }
  if (isShipped(expr.name))
    return fail(frame, expr.nameRange, fmt::format("unknown name '{}'", expr.name),
                fmt::format("a mask of that name ships with maskjit: import \"{}\" and call it", expr.name));
  std::vector<std::string> candidates = visibleMasks(frame.tree);
  for (const Coordinate &each : frame.mask.coordinates)
    candidates.emplace_back(1, each.name);
  for (const auto &each : frame.params)
    candidates.push_back(each.first().str());
  for (const auto &each : frame.lets)
    candidates.push_back(each.first().str());
  std::string advice = didYouMean(expr.name, candidates);
  if (advice.empty() && frame.mask.score && frame.mask.score->variable == expr.name)
    advice = "the score's own value exists in the score clause only";
  if (advice.empty())
    advice =
        fmt::format("declare a parameter: mask {}(...; {}: int 0..4096)", frame.mask.name, printable(expr.name, 30));
  return fail(frame, expr.nameRange, fmt::format("unknown name '{}'", printable(expr.name)), advice);
}

// ---- expressions ----

std::optional<Value> MaskEmitter::emit(Frame &frame, ExprId id, ValueKind wanted) {
  const Emitted value = emit(frame, id);
  return value ? convert(frame, frame.tree.expr(id), *value, wanted) : value;
}

std::optional<Value> MaskEmitter::emit(Frame &frame, ExprId id) {
  const std::pair<ExprId, unsigned> key(id, frame.inScore);
  if (auto known = frame.done.find(key); known != frame.done.end())
    return known->second;
  const Expr &expr = frame.tree.expr(id);
  if (++steps > kMaxSteps)
    return fail(frame, expr.range, fmt::format("mask '{}' takes more than {} steps to expand", root.name, kMaxSteps));
  if (ops.size() > kMaxOperations)
    return fail(frame, expr.range,
                fmt::format("mask '{}' has more than {} operations, calls inlined", root.name, kMaxOperations));
  if (depth == kMaxDepth)
    return fail(frame, expr.range, fmt::format("more than {} levels of nesting, calls inlined", kMaxDepth),
                "name parts with 'let'");
  ++depth;
  const Emitted value = emitUncached(frame, expr);
  --depth;
  if (!value)
    return {};
  if (value->kind == ValueKind::Integer && !value->range.fits64())
    return fail(frame, expr.range,
                fmt::format("this integer can reach {}; all values of a mask fit in 64 bits",
                            decimal(value->range.high > -value->range.low ? value->range.high : value->range.low)),
                "narrow the ranges of the parameters");
  frame.done[key] = *value;
  return value;
}

std::optional<Value> MaskEmitter::emitUncached(Frame &frame, const Expr &expr) {
  const mlir::Location loc = location(frame, expr.range);
  switch (expr.kind) {
  case ExprKind::Integer:
    return constant(loc, expr.value);
  case ExprKind::Real:
    if (!frame.inScore)
      return fail(frame, expr.range, "expected an integer, got a real number", "real numbers stand in a score clause");
    return real(loc, expr.real);
  case ExprKind::Truth:
    return Value{ValueKind::Truth, ops.truth(loc, expr.value != 0), {}};
  case ExprKind::Name:
    return name(frame, expr);
  case ExprKind::Index:
    return index(frame, expr);
  case ExprKind::Negate: {
    const Emitted value = emit(frame, expr.operands[0].expr);
    if (!value)
      return {};
    if (value->kind == ValueKind::Real)
      return Value{ValueKind::Real, ops.unary<mlir::arith::NegFOp>(loc, value->ir), {}};
    return arithmetic(frame, expr, expr.range, Operator::Sub, constant(loc, 0), *value);
  }
  case ExprKind::Not: {
    const Emitted value = emit(frame, expr.operands[0].expr);
    if (!value)
      return {};
    if (value->kind != ValueKind::Truth)
      return fail(frame, frame.tree.expr(expr.operands[0].expr).range,
                  fmt::format("expected a truth value, got {}", kindName(value->kind)),
                  "'!' binds tightly: write !(a < b) for the opposite of a comparison");
    return Value{ValueKind::Truth, ops.unary<mask::NotOp>(loc, value->ir), {}};
  }
  case ExprKind::Sum:
  case ExprKind::Product:
    return chain(frame, expr);
  case ExprKind::Comparison:
    return comparison(frame, expr);
  case ExprKind::And:
  case ExprKind::Or:
    return logic(frame, expr);
  case ExprKind::Call:
    return call(frame, expr);
  case ExprKind::Block:
    return block(frame, expr);
  }
  llvm_unreachable("all kinds of expression are listed");
}

std::optional<Value> MaskEmitter::name(Frame &frame, const Expr &expr) {
  if (auto let = frame.lets.find(expr.name); let != frame.lets.end())
    return let->second.value;
  if (expr.name.size() == 1)
    if (const size_t at = std::string_view("bhqk").find(expr.name);
        at != std::string_view::npos && frame.coordinates[at])
      return frame.coordinates[at];
  if (auto param = frame.params.find(expr.name); param != frame.params.end()) {
    const ParamInfo &info = *param->second.info;
    if (info.axis != Axis::None)
      return fail(frame, expr.range, fmt::format("expected a value, got the array '{}'", expr.name),
                  fmt::format("read an element: {}[{}]", expr.name, "?bhqk"[static_cast<int>(info.axis)]));
    if (info.isFloat && !frame.inScore)
      return fail(frame, expr.range, fmt::format("expected an integer, got the float parameter '{}'", expr.name),
                  "float parameters stand in a score clause");
    return param->second.scalar;
  }
  if (const MaskReference mask = lookUpMask(frame.tree, expr.name); mask.mask) {
    std::string arguments;
    for (const Coordinate &each : mask.mask->coordinates)
      arguments += fmt::format("{}{}", arguments.empty() ? "" : ", ", each.name);
    return fail(frame, expr.range, fmt::format("expected a value, got the mask '{}'", expr.name),
                fmt::format("call it: {}({})", expr.name, arguments));
  }
  return unknownName(frame, expr);
}

std::optional<Value> MaskEmitter::index(Frame &frame, const Expr &expr) {
  auto found = frame.params.find(expr.name);
  if (found == frame.params.end())
    return unknownName(frame, expr);
  const Binding &binding = found->second;
  if (binding.info->axis == Axis::None)
    return fail(frame, expr.range, fmt::format("'{}' is a single value, not an array", expr.name),
                fmt::format("write {}, or declare {}[k]", expr.name, expr.name));
  if (binding.info->isFloat && !frame.inScore)
    return fail(frame, expr.range,
                fmt::format("expected an integer, got an element of the float array '{}'", expr.name),
                "float parameters stand in a score clause");
  // An index is an integer expression everywhere, in a score clause too: `/` is floor division there.
  const bool inScore = std::exchange(frame.inScore, false);
  const Emitted position = emit(frame, expr.operands[0].expr, ValueKind::Integer);
  frame.inScore = inScore;
  if (!position)
    return {};
  if (!binding.array)
    return binding.scalar;
  const ValueKind kind = binding.info->isFloat ? ValueKind::Real : ValueKind::Integer;
  const mlir::Type type = binding.info->isFloat ? mlir::Type(builder.getF32Type()) : builder.getIndexType();
  return Value{kind, ops.load(location(frame, expr.range), type, binding.array, position->ir), binding.range};
}

std::optional<Value> MaskEmitter::block(Frame &frame, const Expr &expr) {
  std::vector<std::string> names;
  Emitted result;
  for (const Operand &operand : expr.operands) {
    result = emit(frame, operand.expr);
    if (!result)
      break;
    if (&operand == &expr.operands.back())
      break;
    std::string_view what;
    if (frame.params.count(operand.name))
      what = "a parameter";
    else if (operand.name.size() == 1 && std::string_view("bhqk").find(operand.name) != std::string_view::npos)
      what = "a coordinate";
    else if (frame.lets.count(operand.name))
      what = "defined";
    if (!what.empty()) {
      result = fail(frame, operand.range, fmt::format("'{}' is already {}", operand.name, what), "choose another name");
      break;
    }
    frame.lets[operand.name] = {*result, operand.range};
    names.push_back(operand.name);
  }
  for (const std::string &name : names)
    frame.lets.erase(name);
  return result;
}

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
