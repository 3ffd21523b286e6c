// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Registration, syntax of mask.func and verifiers.
#include "dialects/mask/MaskDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace maskjit::mask;

#include "dialects/mask/MaskDialect.cpp.inc"
#include "dialects/mask/MaskEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/mask/MaskAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/mask/MaskOps.cpp.inc"

void MaskDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/mask/MaskAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/mask/MaskOps.cpp.inc"
      >();
}

// ---- mask.func ----

ParseResult FuncOp::parse(OpAsmParser &parser, OperationState &result) {
  auto type = [](Builder &builder, ArrayRef<Type> arguments, ArrayRef<Type> results,
                 function_interface_impl::VariadicFlag,
                 std::string &) { return builder.getFunctionType(arguments, results); };
  return function_interface_impl::parseFunctionOp(parser, result, /*allowVariadic=*/false,
                                                  getFunctionTypeAttrName(result.name), type,
                                                  getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
}

void FuncOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(printer, *this, /*isVariadic=*/false, getFunctionTypeAttrName(),
                                           getArgAttrsAttrName(), getResAttrsAttrName());
}

ParamAttr FuncOp::lookupParam(StringRef name) {
  if (ArrayAttr params = getParamsAttr())
    for (Attribute each : params)
      if (auto param = dyn_cast<ParamAttr>(each); param && param.getName() == name)
        return param;
  return {};
}

LogicalResult FuncOp::verify() {
  llvm::SmallDenseSet<StringAttr> seen;
  if (ArrayAttr params = getParamsAttr())
    for (Attribute each : params) {
      auto param = dyn_cast<ParamAttr>(each);
      if (!param)
        return emitOpError() << "expects #mask.decl in 'params', got " << each;
      if (!seen.insert(param.getName()).second)
        return emitOpError() << "declares parameter \"" << param.getName().getValue() << "\" twice";
      if (param.getMin() > param.getMax())
        return emitOpError() << "declares \"" << param.getName().getValue() << "\" with min " << param.getMin()
                             << " above max " << param.getMax();
    }
  return success();
}

LogicalResult ReturnOp::verify() {
  auto func = cast<FuncOp>((*this)->getParentOp());
  if (TypeRange(getOperands()) != TypeRange(func.getResultTypes()))
    return emitOpError() << "returns " << getOperandTypes() << ", but @" << func.getSymName() << " declares "
                         << func.getResultTypes();
  return success();
}

// ---- operations that name a parameter ----

static LogicalResult verifyParam(Operation *op, StringRef name, bool array, Type type) {
  auto func = op->getParentOfType<FuncOp>();
  if (!func)
    return op->emitOpError() << "must stand in a mask.func, which declares \"" << name << "\"";
  ParamAttr param = func.lookupParam(name);
  if (!param)
    return op->emitOpError() << "reads \"" << name << "\", which @" << func.getSymName() << " does not declare";
  if (array != (param.getAxis() != Axis::None))
    return op->emitOpError() << "reads \"" << name << "\" as " << (array ? "an array" : "a scalar")
                             << ", but it is declared as " << (array ? "a scalar" : "an array");
  if (type && param.getIsFloat() != isa<FloatType>(type))
    return op->emitOpError() << "reads \"" << name << "\" as " << type << ", but it is declared as "
                             << (param.getIsFloat() ? "fp32" : "an integer");
  return success();
}

LogicalResult ParamOp::verify() { return verifyParam(*this, getName(), false, getType()); }
LogicalResult LoadOp::verify() { return verifyParam(*this, getName(), true, getType()); }
LogicalResult SizeOp::verify() { return verifyParam(*this, getName(), true, {}); }
static LogicalResult verifySorted(Operation *op, StringRef name) {
  if (failed(verifyParam(op, name, true, IndexType::get(op->getContext()))))
    return failure();
  if (!op->getParentOfType<FuncOp>().lookupParam(name).getIsSorted())
    return op->emitOpError() << "searches \"" << name << "\", which is not declared sorted";
  return success();
}
LogicalResult SearchOp::verify() { return verifySorted(*this, getName()); }
LogicalResult FirstOp::verify() {
  if (getBound() <= 0)
    return emitOpError() << "expects a positive bound, got " << getBound();
  return verifySorted(*this, getName());
}

Operation *MaskDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type, Location loc) {
  return ConstantOp::isBuildableWith(value, type)
             ? ConstantOp::create(builder, loc, type, cast<TypedAttr>(value)).getOperation()
             : nullptr;
}
