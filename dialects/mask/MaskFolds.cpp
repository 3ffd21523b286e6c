// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Folders of the `mask` dialect: one law a line.
#include "dialects/mask/MaskDialect.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace maskjit::mask;

// ---- constants ----

bool ConstantOp::isBuildableWith(Attribute value, Type type) {
  auto typed = dyn_cast<IntegerAttr>(value);
  return typed && typed.getType() == type && (type.isIndex() || type.isInteger(1));
}
void ConstantOp::build(OpBuilder &builder, OperationState &state, int64_t value) {
  build(builder, state, builder.getIndexType(), builder.getIndexAttr(value));
}
void ConstantOp::build(OpBuilder &builder, OperationState &state, bool value) {
  build(builder, state, builder.getI1Type(), builder.getBoolAttr(value));
}
OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

static std::optional<int64_t> integer(Attribute attr) {
  auto value = dyn_cast_or_null<IntegerAttr>(attr);
  if (!value || !value.getType().isIndex())
    return std::nullopt;
  return value.getValue().getSExtValue();
}
static std::optional<bool> truth(Attribute attr) {
  auto value = dyn_cast_or_null<IntegerAttr>(attr);
  if (!value || !value.getType().isInteger(1))
    return std::nullopt;
  return !value.getValue().isZero();
}
static Attribute indexAttr(Operation *op, int64_t value) { return Builder(op->getContext()).getIndexAttr(value); }
static Attribute boolAttr(Operation *op, bool value) { return Builder(op->getContext()).getBoolAttr(value); }

/// Folds two constants unless the 64-bit result overflows (values are integers without bound).
template <class Compute> static OpFoldResult foldBinary(Operation *op, Attribute lhs, Attribute rhs, Compute compute) {
  auto a = integer(lhs), b = integer(rhs);
  if (!a || !b)
    return {};
  int64_t result = 0;
  if (compute(*a, *b, result))
    return {};
  return indexAttr(op, result);
}

OpFoldResult AddOp::fold(FoldAdaptor in) {
  if (integer(in.getRhs()) == 0) // x + 0 -> x
    return getLhs();
  return foldBinary(*this, in.getLhs(), in.getRhs(),
                    [](int64_t a, int64_t b, int64_t &r) { return llvm::AddOverflow(a, b, r); });
}
OpFoldResult SubOp::fold(FoldAdaptor in) {
  if (integer(in.getRhs()) == 0) // x - 0 -> x
    return getLhs();
  if (getLhs() == getRhs()) // x - x -> 0
    return indexAttr(*this, 0);
  return foldBinary(*this, in.getLhs(), in.getRhs(),
                    [](int64_t a, int64_t b, int64_t &r) { return llvm::SubOverflow(a, b, r); });
}
OpFoldResult MulOp::fold(FoldAdaptor in) {
  if (integer(in.getRhs()) == 1) // x * 1 -> x
    return getLhs();
  if (integer(in.getRhs()) == 0) // x * 0 -> 0
    return indexAttr(*this, 0);
  return foldBinary(*this, in.getLhs(), in.getRhs(),
                    [](int64_t a, int64_t b, int64_t &r) { return llvm::MulOverflow(a, b, r); });
}
OpFoldResult FloorDivOp::fold(FoldAdaptor in) {
  if (integer(in.getRhs()) == 1) // x div 1 -> x
    return getLhs();
  return foldBinary(*this, in.getLhs(), in.getRhs(), [](int64_t a, int64_t b, int64_t &r) {
    if (b == -1)
      return bool(llvm::SubOverflow(int64_t(0), a, r));
    r = b == 0 ? 0 : a / b - (a % b != 0 && (a % b < 0) != (b < 0));
    return false;
  });
}
OpFoldResult ModOp::fold(FoldAdaptor in) {
  if (auto b = integer(in.getRhs()); b == 1 || b == -1) // x mod 1 -> 0
    return indexAttr(*this, 0);
  return foldBinary(*this, in.getLhs(), in.getRhs(), [](int64_t a, int64_t b, int64_t &r) {
    r = b == 0 ? a : a % b + (a % b != 0 && (a % b < 0) != (b < 0) ? b : 0);
    return false;
  });
}
OpFoldResult MinOp::fold(FoldAdaptor in) {
  if (getLhs() == getRhs()) // min(x, x) -> x
    return getLhs();
  return foldBinary(*this, in.getLhs(), in.getRhs(),
                    [](int64_t a, int64_t b, int64_t &r) { return r = std::min(a, b), false; });
}
OpFoldResult MaxOp::fold(FoldAdaptor in) {
  if (getLhs() == getRhs()) // max(x, x) -> x
    return getLhs();
  return foldBinary(*this, in.getLhs(), in.getRhs(),
                    [](int64_t a, int64_t b, int64_t &r) { return r = std::max(a, b), false; });
}

// ---- truth ----

OpFoldResult CmpOp::fold(FoldAdaptor in) {
  auto holds = [&](int64_t a, int64_t b) {
    switch (getPredicate()) {
    case Predicate::eq:
      return a == b;
    case Predicate::ne:
      return a != b;
    case Predicate::lt:
      return a < b;
    case Predicate::le:
      return a <= b;
    case Predicate::gt:
      return a > b;
    case Predicate::ge:
      return a >= b;
    }
    llvm_unreachable("all predicates are listed");
  };
  if (getLhs() == getRhs()) // x <= x -> true, x < x -> false
    return boolAttr(*this, holds(0, 0));
  auto a = integer(in.getLhs()), b = integer(in.getRhs());
  return a && b ? OpFoldResult(boolAttr(*this, holds(*a, *b))) : OpFoldResult();
}
OpFoldResult AndOp::fold(FoldAdaptor in) {
  if (getLhs() == getRhs()) // x and x -> x
    return getLhs();
  if (auto b = truth(in.getRhs())) // x and true -> x, x and false -> false
    return *b ? OpFoldResult(getLhs()) : OpFoldResult(boolAttr(*this, false));
  return {};
}
OpFoldResult OrOp::fold(FoldAdaptor in) {
  if (getLhs() == getRhs()) // x or x -> x
    return getLhs();
  if (auto b = truth(in.getRhs())) // x or false -> x, x or true -> true
    return *b ? OpFoldResult(boolAttr(*this, true)) : OpFoldResult(getLhs());
  return {};
}
OpFoldResult NotOp::fold(FoldAdaptor in) {
  if (auto value = truth(in.getOperand())) // not true -> false
    return boolAttr(*this, !*value);
  if (auto inner = getOperand().getDefiningOp<NotOp>()) // not not x -> x
    return inner.getOperand();
  return {};
}
OpFoldResult SelectOp::fold(FoldAdaptor in) {
  if (getIfTrue() == getIfFalse()) // select c, x, x -> x
    return getIfTrue();
  if (auto c = truth(in.getCondition())) // select true, x, y -> x
    return *c ? getIfTrue() : getIfFalse();
  return {};
}
