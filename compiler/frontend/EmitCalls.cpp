// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls: functions of the language, and other masks, which are inlined.
#include "compiler/frontend/Imports.h"
#include "compiler/frontend/MaskEmitter.h"
#include "compiler/frontend/Names.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include <cmath>
#include <fmt/format.h>

namespace maskjit::frontend {

MaskReference lookUpMask(const SyntaxTree &tree, std::string_view name) {
  for (const MaskDecl &mask : tree.masks)
    if (mask.name == name)
      return {&tree, &mask};
  for (const Import &import : tree.imports)
    for (const MaskDecl &mask : import.tree->masks)
      if (mask.name == name)
        return {import.tree.get(), &mask};
  return {};
}

std::vector<std::string> visibleMasks(const SyntaxTree &tree) {
  std::vector<std::string> names;
  for (const MaskDecl &mask : tree.masks)
    names.push_back(mask.name);
  for (const Import &import : tree.imports)
    for (const MaskDecl &mask : import.tree->masks)
      names.push_back(mask.name);
  return names;
}

std::optional<Value> MaskEmitter::call(Frame &frame, const Expr &expr) {
  if (isFunction(expr.name))
    return function(frame, expr);
  if (const MaskReference found = lookUpMask(frame.tree, expr.name); found.mask)
    return inlineMask(frame, expr, *found.tree, *found.mask);
  if (isShipped(expr.name))
    return fail(frame, expr.nameRange, fmt::format("no mask '{}' in this file", expr.name),
                fmt::format("it ships with maskjit: write import \"{}\" at the head", expr.name));
  std::vector<std::string> candidates = visibleMasks(frame.tree);
  for (std::string_view each : {"min", "max", "abs"})
    candidates.emplace_back(each);
  return fail(frame, expr.nameRange, fmt::format("no mask or function '{}'", printable(expr.name)),
              didYouMean(expr.name, candidates));
}

// ---- functions ----

std::optional<Value> MaskEmitter::function(Frame &frame, const Expr &expr) {
  const mlir::Location loc = location(frame, expr.range);
  const bool extremum = expr.name == "min" || expr.name == "max";
  if (!extremum && expr.name != "abs" && !frame.inScore)
    return fail(frame, expr.nameRange, fmt::format("'{}' is a function of real numbers", expr.name),
                "it stands in a score clause");
  for (const Operand &operand : expr.operands)
    if (operand.isParam)
      return fail(frame, operand.range, fmt::format("'{}' has no parameters", expr.name),
                  "separate the values with ','");
  if (expr.name == "pow")
    return power(frame, expr);
  if (extremum ? expr.operands.size() < 2 : expr.operands.size() != 1)
    return fail(frame, expr.range,
                fmt::format("'{}' takes {}, got {}", expr.name, extremum ? "two values or more" : "one value",
                            expr.operands.size()));

  std::vector<Value> values;
  bool allIntegers = true;
  for (const Operand &operand : expr.operands) {
    const Emitted value = emit(frame, operand.expr);
    if (!value)
      return {};
    if (value->kind == ValueKind::Truth)
      return wrongKind(frame, frame.tree.expr(operand.expr), "a number", *value);
    allIntegers &= value->kind == ValueKind::Integer;
    values.push_back(*value);
  }
  if (extremum && allIntegers) {
    Value all = values[0];
    for (size_t i = 1; i < values.size(); ++i)
      all = expr.name == "min"
                ? integer(ops.binary<mask::MinOp>(loc, all.ir, values[i].ir), least(all.range, values[i].range))
                : integer(ops.binary<mask::MaxOp>(loc, all.ir, values[i].ir), greatest(all.range, values[i].range));
    return all;
  }
  if (expr.name == "abs" && allIntegers) { // abs(x) = max(x, 0 - x)
    const Value value = values[0];
    const Interval negated = Interval::constant(0) - value.range;
    const mlir::Value negative = ops.binary<mask::SubOp>(loc, ops.integer(loc, 0), value.ir);
    return integer(ops.binary<mask::MaxOp>(loc, value.ir, negative),
                   greatest(value.range, negated).low < 0 ? Interval{0, std::max(value.range.high, negated.high)}
                                                          : greatest(value.range, negated));
  }
  mlir::Value all = toReal(loc, values[0]).ir;
  for (size_t i = 1; i < values.size(); ++i) {
    const mlir::Value next = toReal(loc, values[i]).ir;
    all = expr.name == "min" ? ops.binary<mlir::arith::MinimumFOp>(loc, all, next)
                             : ops.binary<mlir::arith::MaximumFOp>(loc, all, next);
  }
  if (expr.name == "abs")
    all = ops.unary<mlir::math::AbsFOp>(loc, all);
  else if (expr.name == "tanh")
    all = ops.unary<mlir::math::TanhOp>(loc, all);
  else if (expr.name == "exp")
    all = ops.unary<mlir::math::ExpOp>(loc, all);
  else if (expr.name == "log")
    all = ops.unary<mlir::math::LogOp>(loc, all);
  else if (expr.name == "sqrt")
    all = ops.unary<mlir::math::SqrtOp>(loc, all);
  return Value{ValueKind::Real, all, {}};
}

/// pow(x, c): products for a whole c from 1 to 8, else math.powf.
std::optional<Value> MaskEmitter::power(Frame &frame, const Expr &expr) {
  const mlir::Location loc = location(frame, expr.range);
  if (expr.operands.size() != 2)
    return fail(frame, expr.range,
                fmt::format("'pow' takes a value and a constant, got {} values", expr.operands.size()));
  const Emitted base = emit(frame, expr.operands[0].expr, ValueKind::Real);
  const Emitted exponent = base ? emit(frame, expr.operands[1].expr, ValueKind::Real) : Emitted();
  if (!exponent)
    return {};
  mlir::FloatAttr attr;
  if (!mlir::matchPattern(exponent->ir, mlir::m_Constant(&attr)))
    return fail(frame, frame.tree.expr(expr.operands[1].expr).range, "the exponent of 'pow' is a constant",
                "write exp(c * log(x)) for one that varies");
  const double power = attr.getValueAsDouble();
  if (power == std::floor(power) && power >= 1 && power <= 8) {
    mlir::Value all = base->ir;
    for (int i = 1; i < static_cast<int>(power); ++i)
      all = ops.binary<mlir::arith::MulFOp>(loc, all, base->ir);
    return Value{ValueKind::Real, all, {}};
  }
  return Value{ValueKind::Real, ops.binary<mlir::math::PowFOp>(loc, base->ir, exponent->ir), {}};
}

// ---- other masks ----

std::optional<Value> MaskEmitter::inlineMask(Frame &frame, const Expr &expr, const SyntaxTree &tree,
                                             const MaskDecl &mask) {
  unsigned calls = 0;
  for (const Frame *each = &frame; each; each = each->caller, ++calls)
    if (&each->mask == &mask)
      return fail(frame, expr.nameRange, fmt::format("mask '{}' calls itself", mask.name), "masks do not recurse");
  if (calls > kMaxCalls)
    return fail(frame, expr.nameRange, fmt::format("more than {} masks call each other", kMaxCalls));
  if (mask.score && !root.score)
    return fail(frame, expr.nameRange,
                fmt::format("mask '{}' has a score, which a call does not bring along", mask.name),
                fmt::format("state the score of '{}': score(s) = ...", root.name));

  Frame callee(tree, mask);
  callee.caller = &frame;
  callee.callSite = frame.tree.span(expr.range);
  size_t given = 0;
  for (const Operand &operand : expr.operands)
    given += !operand.isParam;
  if (given != mask.coordinates.size()) {
    std::string signature;
    for (const Coordinate &each : mask.coordinates)
      signature += fmt::format("{}{}", signature.empty() ? "" : ", ", each.name);
    return fail(frame, expr.range,
                fmt::format("mask '{}' takes {} coordinates, got {}", mask.name, mask.coordinates.size(), given),
                fmt::format("{}({}); parameters follow a ';'", mask.name, signature));
  }
  // A mask's arguments are integers, in a score clause too.
  const bool inScore = std::exchange(frame.inScore, false);
  std::vector<const void *> key = {&mask};
  bool fine = true;
  for (size_t i = 0; fine && i < given; ++i) {
    const Emitted value = emit(frame, expr.operands[i].expr, ValueKind::Integer);
    fine = value.has_value();
    if (fine) {
      callee.coordinates[std::string_view("bhqk").find(mask.coordinates[i].name)] = value;
      key.push_back(value->ir.getAsOpaquePointer());
    }
  }
  fine = fine && bindParams(frame, expr, callee);
  frame.inScore = inScore;
  if (!fine)
    return {};
  for (const ParamDecl &param : mask.params) {
    const Binding &binding = callee.params[param.info.name];
    key.push_back(binding.array ? binding.array.getAsOpaquePointer() : binding.scalar.ir.getAsOpaquePointer());
  }
  if (auto known = this->calls.find(key); known != this->calls.end())
    return known->second;
  const Emitted result = emit(callee, mask.body, ValueKind::Truth);
  if (result)
    this->calls[key] = *result;
  return result;
}

/// Binds the callee's parameters to the call's arguments, by position or name, and the rest to their defaults.
bool MaskEmitter::bindParams(Frame &frame, const Expr &expr, Frame &callee) {
  const std::vector<ParamDecl> &params = callee.mask.params;
  std::vector<std::string> names;
  for (const ParamDecl &param : params)
    names.push_back(param.info.name);
  size_t next = 0;
  for (const Operand &operand : expr.operands) {
    if (!operand.isParam)
      continue;
    size_t at = next++;
    if (!operand.name.empty()) {
      at = std::find(names.begin(), names.end(), operand.name) - names.begin();
      if (at == names.size()) {
        const std::string guess = didYouMean(operand.name, names);
        fail(frame, operand.range, fmt::format("mask '{}' has no parameter '{}'", callee.mask.name, operand.name),
             guess.empty() && !names.empty() ? "it has " + quotedList(names) : guess);
        return false;
      }
    } else if (at >= params.size()) {
      fail(frame, operand.range, fmt::format("mask '{}' has {} parameters, got more", callee.mask.name, params.size()),
           names.empty() ? "" : "they are " + quotedList(names));
      return false;
    }
    const ParamDecl &param = params[at];
    if (callee.params.count(param.info.name)) {
      fail(frame, operand.range,
           fmt::format("parameter '{}' of '{}' is given twice", param.info.name, callee.mask.name));
      return false;
    }
    Binding binding{&param.info, {}, {}, {}};
    const Expr &argument = frame.tree.expr(operand.expr);
    if (param.info.isFloat) {
      fail(frame, argument.range,
           fmt::format("parameter '{}' belongs to the score of '{}'", param.info.name, callee.mask.name),
           "a call uses the predicate alone: leave it out");
      return false;
    }
    if (param.info.axis != Axis::None) {
      if (!bindArray(frame, argument, callee, param, binding))
        return false;
    } else {
      const Emitted value = emit(frame, operand.expr, ValueKind::Integer);
      if (!value)
        return false;
      if (value->range.disjoint({param.info.min, param.info.max})) {
        fail(frame, argument.range,
             fmt::format("this value is outside the range of '{}', {}..{}", param.info.name, param.info.min,
                         param.info.max));
        return false;
      }
      binding.scalar = *value;
    }
    callee.params[param.info.name] = binding;
  }
  for (const ParamDecl &param : params) {
    if (callee.params.count(param.info.name))
      continue;
    Binding binding{&param.info, {}, {}, {}};
    const mlir::Location loc = location(frame, expr.range);
    if (!param.info.isFloat) { // float ones occur in the score alone, which is not inlined
      if (!param.info.defaultValue) {
        fail(frame, expr.range,
             fmt::format("parameter '{}' of '{}' is not given and has no default", param.info.name, callee.mask.name),
             fmt::format("write {}(...; {} = ...)", callee.mask.name, param.info.name));
        return false;
      }
      binding.scalar = constant(loc, static_cast<int64_t>(*param.info.defaultValue));
    }
    callee.params[param.info.name] = binding;
  }
  return true;
}

/// An array is passed on by its name.
bool MaskEmitter::bindArray(Frame &frame, const Expr &argument, Frame &callee, const ParamDecl &param,
                            Binding &binding) {
  auto source = argument.kind == ExprKind::Name ? frame.params.find(argument.name) : frame.params.end();
  if (source == frame.params.end() || source->second.info->axis == Axis::None) {
    fail(frame, argument.range, fmt::format("expected an array for '{}' of '{}'", param.info.name, callee.mask.name),
         fmt::format("declare a parameter {}[{}] and pass its name", param.info.name,
                     "?bhqk"[static_cast<int>(param.info.axis)]));
    return false;
  }
  const ParamInfo &given = *source->second.info;
  if (given.isFloat || (param.info.isSorted && !given.isSorted)) {
    fail(frame, argument.range,
         fmt::format("array '{}' is {}, '{}' of '{}' is {}", given.name,
                     given.isFloat ? "of floats" : "not declared sorted", param.info.name, callee.mask.name,
                     given.isFloat ? "of integers" : "sorted"));
    return false;
  }
  binding.array = source->second.array;
  binding.scalar = source->second.scalar;
  binding.range = source->second.range;
  return true;
}

} // namespace maskjit::frontend
