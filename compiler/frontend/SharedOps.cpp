// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Folding and lookup of terms.
#include "compiler/frontend/SharedOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace maskjit::frontend {

Value SharedOps::integer(Location loc, int64_t value) {
  Attribute attr = builder.getIndexAttr(value);
  return lookUp({TypeID::get<mask::ConstantOp>(), attr.getAsOpaquePointer(), nullptr, 0},
                [&] { return mask::ConstantOp::create(builder, loc, value); });
}

Value SharedOps::truth(Location loc, bool value) {
  Attribute attr = builder.getBoolAttr(value);
  return lookUp({TypeID::get<mask::ConstantOp>(), attr.getAsOpaquePointer(), nullptr, 0},
                [&] { return mask::ConstantOp::create(builder, loc, value); });
}

Value SharedOps::real(Location loc, float value) {
  TypedAttr attr = builder.getF32FloatAttr(value);
  return lookUp({TypeID::get<arith::ConstantOp>(), attr.getAsOpaquePointer(), nullptr, 0},
                [&] { return arith::ConstantOp::create(builder, loc, attr); });
}

Value SharedOps::compare(Location loc, mask::Predicate predicate, Value a, Value b) {
  // One spelling for each comparison: a > b is b < a, and a == b does not depend on the order.
  if (predicate == mask::Predicate::gt || predicate == mask::Predicate::ge) {
    predicate = predicate == mask::Predicate::gt ? mask::Predicate::lt : mask::Predicate::le;
    std::swap(a, b);
  } else if ((predicate == mask::Predicate::eq || predicate == mask::Predicate::ne) && order(b) < order(a)) {
    std::swap(a, b);
  }
  return lookUp(
      {TypeID::get<mask::CmpOp>(), a.getAsOpaquePointer(), b.getAsOpaquePointer(), static_cast<uintptr_t>(predicate)},
      [&] { return mask::CmpOp::create(builder, loc, predicate, a, b); });
}

Value SharedOps::param(Location loc, Type type, StringAttr name) {
  return lookUp({TypeID::get<mask::ParamOp>(), name.getAsOpaquePointer(), nullptr, 0},
                [&] { return mask::ParamOp::create(builder, loc, type, name); });
}

Value SharedOps::load(Location loc, Type type, StringAttr name, Value position) {
  return lookUp({TypeID::get<mask::LoadOp>(), name.getAsOpaquePointer(), position.getAsOpaquePointer(), 0},
                [&] { return mask::LoadOp::create(builder, loc, type, name, position); });
}

Value SharedOps::fold(Operation *op) {
  Value result = op->getResult(0);
  SmallVector<OpFoldResult, 1> folded;
  if (!op->hasTrait<OpTrait::ConstantLike>() && succeeded(op->fold(folded)) && !folded.empty()) {
    const Location loc = op->getLoc();
    if (auto value = dyn_cast<Value>(folded[0])) {
      op->erase();
      return value;
    }
    auto attr = cast<Attribute>(folded[0]);
    if (auto integer = dyn_cast<IntegerAttr>(attr)) {
      op->erase();
      return integer.getType().isInteger(1) ? truth(loc, !integer.getValue().isZero())
                                            : this->integer(loc, integer.getInt());
    }
    if (auto real = dyn_cast<FloatAttr>(attr)) {
      op->erase();
      return this->real(loc, real.getValue().convertToFloat());
    }
  }
  numbers[result] = ++count;
  return result;
}

unsigned SharedOps::order(Value value) const {
  if (matchPattern(value, m_Constant()))
    return ~0u;
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argument.getArgNumber();
  return value.getParentBlock()->getNumArguments() + numbers.lookup(value);
}

} // namespace maskjit::frontend
