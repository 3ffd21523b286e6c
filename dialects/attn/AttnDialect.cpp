// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Registration and verifiers: shapes agree, and the mask exists and takes the parameters that are passed.
#include "dialects/attn/AttnDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace maskjit;
using namespace maskjit::attn;

#include "dialects/attn/AttnDialect.cpp.inc"
#include "dialects/attn/AttnEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/attn/AttnAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/attn/AttnOps.cpp.inc"

void AttnDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/attn/AttnAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/attn/AttnOps.cpp.inc"
      >();
}

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError, Kernel, StringAttr, int tileQueries,
                                   int tileKeys, int stages, int warps) {
  auto positive = [&](StringRef name, int value) -> LogicalResult {
    return value > 0 ? success() : LogicalResult(emitError() << name << " is " << value << ", must be at least 1");
  };
  return success(succeeded(positive("tile_queries", tileQueries)) && succeeded(positive("tile_keys", tileKeys)) &&
                 succeeded(positive("stages", stages)) && succeeded(positive("warps", warps)));
}

// ---- shapes ----

static bool differ(int64_t a, int64_t b) { return a != b && a != ShapedType::kDynamic && b != ShapedType::kDynamic; }

/// One axis of two tensors.
static LogicalResult same(Operation *op, StringRef what, int64_t a, StringRef ofA, int64_t b, StringRef ofB) {
  if (!differ(a, b))
    return success();
  return op->emitOpError() << what << " differs: " << ofA << " has " << a << ", " << ofB << " has " << b;
}

static LogicalResult verifyInputs(Operation *op, RankedTensorType q, RankedTensorType k, RankedTensorType v) {
  if (q.getElementType() != k.getElementType() || q.getElementType() != v.getElementType())
    return op->emitOpError() << "query, key and value must have one element type, got " << q.getElementType() << ", "
                             << k.getElementType() << " and " << v.getElementType();
  if (q.isDynamicDim(3))
    return op->emitOpError() << "the head dimension must be known, got " << q;
  for (int axis : {0, 1, 2})
    if (differ(k.getDimSize(axis), v.getDimSize(axis)))
      return op->emitOpError() << "key and value must have one shape, got " << k << " and " << v;
  if (failed(same(op, "head dimension", q.getDimSize(3), "query", k.getDimSize(3), "key")) ||
      failed(same(op, "head dimension", q.getDimSize(3), "query", v.getDimSize(3), "value")))
    return failure();
  const int64_t headsQ = q.getDimSize(1), headsKv = k.getDimSize(1);
  if (!ShapedType::isDynamic(headsQ) && !ShapedType::isDynamic(headsKv) && (headsKv == 0 || headsQ % headsKv != 0))
    return op->emitOpError() << "the number of query heads must be a multiple of the number of key heads, got "
                             << headsQ << " and " << headsKv;
  return success();
}

/// lse [B, Hq, Sq] and sinks [Hq] of a query [B, Hq, Sq, D].
static LogicalResult verifyRows(Operation *op, RankedTensorType q, RankedTensorType lse, Value sinks) {
  static constexpr StringRef axes[] = {"batch", "number of heads", "number of queries"};
  for (int axis : {0, 1, 2})
    if (failed(same(op, axes[axis], q.getDimSize(axis), "query", lse.getDimSize(axis), "lse")))
      return failure();
  return sinks ? same(op, "number of heads", q.getDimSize(1), "query",
                      cast<RankedTensorType>(sinks.getType()).getDimSize(0), "sinks")
               : success();
}

LogicalResult ForwardOp::verify() {
  const auto q = cast<RankedTensorType>(getQuery().getType()), k = cast<RankedTensorType>(getKey().getType());
  if (failed(verifyInputs(*this, q, k, cast<RankedTensorType>(getValue().getType()))))
    return failure();
  if (failed(same(*this, "batch", q.getDimSize(0), "query", k.getDimSize(0), "key")))
    return failure();
  return verifyRows(*this, q, cast<RankedTensorType>(getLse().getType()), getSinks());
}

LogicalResult BackwardOp::verify() {
  const auto q = cast<RankedTensorType>(getQuery().getType()), k = cast<RankedTensorType>(getKey().getType());
  if (failed(verifyInputs(*this, q, k, cast<RankedTensorType>(getValue().getType()))))
    return failure();
  if (failed(same(*this, "batch", q.getDimSize(0), "query", k.getDimSize(0), "key")))
    return failure();
  if (getDsinks() && !getSinks())
    return emitOpError() << "gives a gradient of sinks, but has no sinks";
  return verifyRows(*this, q, cast<RankedTensorType>(getLse().getType()), getSinks());
}

LogicalResult DecodeOp::verify() {
  const auto q = cast<RankedTensorType>(getQuery().getType()), pages = cast<RankedTensorType>(getKeyPages().getType());
  if (failed(verifyInputs(*this, q, pages, cast<RankedTensorType>(getValuePages().getType()))))
    return failure();
  const int64_t pageSize = pages.getDimSize(2);
  if (!ShapedType::isDynamic(pageSize) && !llvm::isPowerOf2_64(pageSize))
    return emitOpError() << "the page size must be a power of two, got " << pageSize;
  const auto table = cast<RankedTensorType>(getTable().getType()),
             lengths = cast<RankedTensorType>(getKvLen().getType());
  if (failed(same(*this, "batch", q.getDimSize(0), "query", table.getDimSize(0), "the page table")) ||
      failed(same(*this, "batch", q.getDimSize(0), "query", lengths.getDimSize(0), "kv_len")))
    return failure();
  return verifyRows(*this, q, cast<RankedTensorType>(getLse().getType()), getSinks());
}

// ---- the mask's symbol ----

static LogicalResult verifyMask(Operation *op, FlatSymbolRefAttr symbol, OperandRange params,
                                SymbolTableCollection &symbols) {
  auto func = symbols.lookupNearestSymbolFrom<mask::FuncOp>(op, symbol);
  if (!func)
    return op->emitOpError() << "names " << symbol << ", which is no mask.func of this module";
  if (func.getResultTypes().size() != 1 || !func.getResultTypes()[0].isInteger(1))
    return op->emitOpError() << "names " << symbol << ", which is derived from a mask; name the predicate, @"
                             << func.getMaskName();
  const ArrayAttr declared = func.getParamsAttr();
  const size_t count = declared ? declared.size() : 0;
  if (params.size() != count)
    return op->emitOpError() << "passes " << params.size() << " parameters, but " << symbol << " declares " << count;
  for (auto [value, each] : llvm::zip(params, declared ? declared.getValue() : ArrayRef<Attribute>())) {
    const auto param = cast<mask::ParamAttr>(each);
    const Type element = cast<ShapedType>(value.getType()).getElementType();
    if (param.getIsFloat() != isa<FloatType>(element))
      return op->emitOpError() << "passes " << element << " for \"" << param.getName().getValue() << "\", which "
                               << symbol << " declares as " << (param.getIsFloat() ? "fp32" : "an integer");
  }
  return success();
}

LogicalResult ForwardOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyMask(*this, getMaskAttr(), getParams(), symbols);
}
LogicalResult BackwardOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyMask(*this, getMaskAttr(), getParams(), symbols);
}
LogicalResult DecodeOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyMask(*this, getMaskAttr(), getParams(), symbols);
}
