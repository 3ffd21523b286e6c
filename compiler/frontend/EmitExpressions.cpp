// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Expressions: names, elements of arrays, `let`, and the errors about them.
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

std::string decimal(Wide value) {
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

} // namespace maskjit::frontend
