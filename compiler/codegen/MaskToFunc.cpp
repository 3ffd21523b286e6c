// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// -convert-mask-to-func: mask.func to func.func on machine integers.
#include "compiler/codegen/MaskToFunc.h"
#include "compiler/analysis/IntegerWidth.h"
#include "dialects/mask/MaskDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace maskjit::mask;

namespace {

/// Offsets in maskjit::cpu::Param: data, batchStride, size.
enum ParamField : int64_t { kData = 0, kBatchStride = 8, kSize = 16, kParamBytes = 24 };

/// Converts the body of one function.
class BodyConverter {
public:
  BodyConverter(FuncOp source, func::FuncOp target, unsigned width)
      : source(source), b(OpBuilder::atBlockEnd(target.addEntryBlock())), loc(source.getLoc()),
        integer(b.getIntegerType(width)), params(target.getArgument(0)) {
    for (auto [from, to] : llvm::zip_equal(source.getBody().getArguments(), target.getArguments().drop_front()))
      values.map(from, isa<IndexType>(from.getType()) ? resize(to, integer) : to);
    auto type = source.getFunctionType();
    batch = type.getNumInputs() && isa<FloatType>(type.getInput(0)) ? target.getArgument(2) : target.getArgument(1);
  }

  LogicalResult run() {
    for (Operation &op : source.getBody().front())
      if (failed(convert(&op)))
        return failure();
    return success();
  }

private:
  Value value(Value v) { return values.lookup(v); }
  Value constant(int64_t v) { return arith::ConstantOp::create(b, loc, b.getIntegerAttr(integer, v)); }
  Value constant64(int64_t v) { return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(v)); }
  Value resize(Value v, Type type) {
    unsigned from = v.getType().getIntOrFloatBitWidth(), to = type.getIntOrFloatBitWidth();
    if (from == to)
      return v;
    return from < to ? arith::ExtSIOp::create(b, loc, type, v).getResult() : arith::TruncIOp::create(b, loc, type, v);
  }
  Value isNegative(Value v) { return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, v, constant(0)); }

  // ---- parameters ----

  int64_t paramIndex(StringRef name) {
    int64_t index = 0;
    for (Attribute each : source.getParamsAttr()) {
      if (cast<ParamAttr>(each).getName() == name)
        break;
      ++index;
    }
    return index;
  }
  Value address(Value base, Type element, ValueRange index) {
    return LLVM::GEPOp::create(b, loc, params.getType(), element, base, index);
  }
  Value offset(Value base, int64_t bytes) {
    return LLVM::GEPOp::create(b, loc, params.getType(), b.getI8Type(), base, ArrayRef<LLVM::GEPArg>{int32_t(bytes)});
  }
  /// Nothing that a kernel writes is a parameter: loads may leave its loops.
  Value load(Type type, Value from) {
    auto op = LLVM::LoadOp::create(b, loc, type, from);
    op.setInvariant(true);
    return op;
  }
  Value field(StringRef name, ParamField which) {
    Type type = which == kData ? Type(params.getType()) : Type(b.getI64Type());
    return load(type, offset(params, paramIndex(name) * kParamBytes + which));
  }
  /// Element `position` of the function's sequence, as an integer of the function's width, or fp32.
  Value element(StringRef name, Value position, Type type) {
    Value first = arith::MulIOp::create(b, loc, resize(batch, b.getI64Type()), field(name, kBatchStride));
    Type stored = isa<FloatType>(type) ? Type(b.getF32Type()) : Type(b.getI32Type());
    Value data = address(field(name, kData), stored, first);
    if (position)
      data = address(data, stored, position);
    Value loaded = load(stored, data);
    return isa<FloatType>(type) ? loaded : resize(loaded, integer);
  }
  Value clamped(StringRef name, Value position) {
    Value last = arith::SubIOp::create(b, loc, resize(field(name, kSize), integer), constant(1));
    return arith::MaxSIOp::create(b, loc, arith::MinSIOp::create(b, loc, position, last), constant(0));
  }

  // ---- division ----

  /// Quotient and remainder rounded towards minus infinity; by 0: 0 and the dividend.
  std::pair<Value, Value> floorDivMod(Value lhs, Value rhs, Value rhsSource) {
    auto known = rhsSource.getDefiningOp<ConstantOp>();
    std::optional<int64_t> divisor;
    if (known)
      divisor = cast<IntegerAttr>(known.getValue()).getInt();
    if (divisor && *divisor == 0)
      return {constant(0), lhs};
    if (divisor && *divisor > 0 && llvm::isPowerOf2_64(*divisor))
      return {arith::ShRSIOp::create(b, loc, lhs, constant(llvm::Log2_64(*divisor))),
              arith::AndIOp::create(b, loc, lhs, constant(*divisor - 1))};
    Value isZero, safe = rhs;
    if (!divisor) {
      isZero = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, rhs, constant(0));
      safe = arith::SelectOp::create(b, loc, isZero, constant(1), rhs);
    }
    Value quotient = arith::DivSIOp::create(b, loc, lhs, safe);
    Value remainder = arith::SubIOp::create(b, loc, lhs, arith::MulIOp::create(b, loc, quotient, safe));
    Value inexact = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, remainder, constant(0));
    Value opposite = isNegative(arith::XOrIOp::create(b, loc, remainder, safe));
    Value below = arith::AndIOp::create(b, loc, inexact, opposite);
    quotient = arith::SelectOp::create(b, loc, below, arith::SubIOp::create(b, loc, quotient, constant(1)), quotient);
    remainder = arith::SelectOp::create(b, loc, below, arith::AddIOp::create(b, loc, remainder, safe), remainder);
    if (isZero) {
      quotient = arith::SelectOp::create(b, loc, isZero, constant(0), quotient);
      remainder = arith::SelectOp::create(b, loc, isZero, lhs, remainder);
    }
    return {quotient, remainder};
  }

  // ---- operations ----

  static arith::CmpIPredicate predicate(Predicate p) {
    switch (p) {
    case Predicate::eq:
      return arith::CmpIPredicate::eq;
    case Predicate::ne:
      return arith::CmpIPredicate::ne;
    case Predicate::lt:
      return arith::CmpIPredicate::slt;
    case Predicate::le:
      return arith::CmpIPredicate::sle;
    case Predicate::gt:
      return arith::CmpIPredicate::sgt;
    case Predicate::ge:
      return arith::CmpIPredicate::sge;
    }
    llvm_unreachable("a predicate without a case");
  }
  template <class Target, class Source> Value binary(Source op) {
    return Target::create(b, loc, value(op.getLhs()), value(op.getRhs()));
  }
  /// exp and its neighbours become functions of the device files, which are vectorised with the mask.
  LogicalResult call(Operation *op, StringRef name) {
    auto called = func::CallOp::create(b, loc, name, op->getResultTypes(), ValueRange{value(op->getOperand(0))});
    values.map(op->getResult(0), called.getResult(0));
    return success();
  }

  LogicalResult convert(Operation *op) {
    loc = op->getLoc();
    if (auto end = dyn_cast<ReturnOp>(op))
      return convertReturn(end);
    if (isa<math::ExpOp>(op))
      return call(op, "maskjit_exp");
    if (isa<math::LogOp>(op))
      return call(op, "maskjit_log");
    if (isa<math::TanhOp>(op))
      return call(op, "maskjit_tanh");
    if (!isa<MaskDialect>(op->getDialect())) { // arith and math on fp32 and i1 stay as they are
      b.clone(*op, values);
      return success();
    }
    Value result =
        llvm::TypeSwitch<Operation *, Value>(op)
            .Case([&](ConstantOp c) -> Value {
              if (c.getType().isInteger(1))
                return arith::ConstantOp::create(b, loc, cast<TypedAttr>(c.getValue()));
              return constant(cast<IntegerAttr>(c.getValue()).getInt());
            })
            .Case([&](ParamOp p) { return element(p.getName(), {}, p.getType()); })
            .Case([&](LoadOp l) {
              return element(l.getName(), clamped(l.getName(), value(l.getPosition())), l.getType());
            })
            .Case([&](SizeOp s) { return resize(field(s.getName(), kSize), integer); })
            .Case([&](SearchOp s) -> Value {
              Value param = offset(params, paramIndex(s.getName()) * kParamBytes);
              Value arguments[] = {param, resize(batch, b.getI64Type()), resize(value(s.getValue()), b.getI64Type())};
              auto called = func::CallOp::create(b, loc, "maskjit_search", TypeRange(b.getI64Type()), arguments);
              return resize(called.getResult(0), integer);
            })
            .Case([&](AddOp o) { return binary<arith::AddIOp>(o); })
            .Case([&](SubOp o) { return binary<arith::SubIOp>(o); })
            .Case([&](MulOp o) { return binary<arith::MulIOp>(o); })
            .Case([&](MinOp o) { return binary<arith::MinSIOp>(o); })
            .Case([&](MaxOp o) { return binary<arith::MaxSIOp>(o); })
            .Case([&](AndOp o) { return binary<arith::AndIOp>(o); })
            .Case([&](OrOp o) { return binary<arith::OrIOp>(o); })
            .Case([&](FloorDivOp o) { return floorDivMod(value(o.getLhs()), value(o.getRhs()), o.getRhs()).first; })
            .Case([&](ModOp o) { return floorDivMod(value(o.getLhs()), value(o.getRhs()), o.getRhs()).second; })
            .Case([&](NotOp o) -> Value {
              Value yes = arith::ConstantOp::create(b, loc, b.getBoolAttr(true));
              return arith::XOrIOp::create(b, loc, value(o.getOperand()), yes);
            })
            .Case([&](CmpOp o) -> Value {
              return arith::CmpIOp::create(b, loc, predicate(o.getPredicate()), value(o.getLhs()), value(o.getRhs()));
            })
            .Case([&](SelectOp o) -> Value {
              return arith::SelectOp::create(b, loc, value(o.getCondition()), value(o.getIfTrue()),
                                             value(o.getIfFalse()));
            })
            .Case([&](ToFloatOp o) -> Value {
              return arith::SIToFPOp::create(b, loc, b.getF32Type(), value(o.getOperand()));
            })
            .Default([](Operation *) { return Value(); });
    if (!result)
      return op->emitOpError() << "has no CPU lowering";
    values.map(op->getResult(0), result);
    return success();
  }

  /// Ranges leave as i64; the two truths of a tile's class as bits of one i32.
  LogicalResult convertReturn(ReturnOp op) {
    SmallVector<Value> results;
    for (Value v : op.getOperands())
      results.push_back(isa<IndexType>(v.getType()) ? resize(value(v), b.getI64Type()) : value(v));
    if (results.size() == 2 && results[0].getType().isInteger(1)) {
      Type i32 = b.getI32Type();
      Value any = arith::ExtUIOp::create(b, loc, i32, results[0]),
            all = arith::ExtUIOp::create(b, loc, i32, results[1]);
      Value one = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(1));
      results = {arith::OrIOp::create(b, loc, any, arith::ShLIOp::create(b, loc, all, one))};
    }
    func::ReturnOp::create(b, loc, results);
    return success();
  }

  FuncOp source;
  OpBuilder b;
  Location loc;
  IntegerType integer;
  Value params, batch;
  IRMapping values;
};

FunctionType targetType(FuncOp source) {
  MLIRContext *context = source.getContext();
  SmallVector<Type> inputs{LLVM::LLVMPointerType::get(context)}, results;
  for (Type type : source.getFunctionType().getInputs())
    inputs.push_back(isa<IndexType>(type) ? IntegerType::get(context, 32) : type);
  for (Type type : source.getFunctionType().getResults())
    results.push_back(isa<IndexType>(type) ? IntegerType::get(context, 64) : type);
  if (results.size() == 2 && results[0].isInteger(1))
    results = {IntegerType::get(context, 32)};
  return FunctionType::get(context, inputs, results);
}

struct ConvertMaskToFunc : PassWrapper<ConvertMaskToFunc, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ConvertMaskToFunc)
  StringRef getArgument() const override { return "convert-mask-to-func"; }
  StringRef getDescription() const override { return "turn a mask's functions into func.func on machine integers"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<func::FuncDialect, LLVM::LLVMDialect, arith::ArithDialect, math::MathDialect>();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
    declare(b, "maskjit_exp", {b.getF32Type()}, b.getF32Type());
    declare(b, "maskjit_log", {b.getF32Type()}, b.getF32Type());
    declare(b, "maskjit_tanh", {b.getF32Type()}, b.getF32Type());
    declare(b, "maskjit_search", {LLVM::LLVMPointerType::get(b.getContext()), b.getI64Type(), b.getI64Type()},
            b.getI64Type());

    bool usesHead = false;
    StringRef mask;
    for (FuncOp source : llvm::make_early_inc_range(module.getOps<FuncOp>())) {
      if (!mask.empty() && mask != source.getMaskName()) {
        source.emitOpError() << "belongs to another mask than @" << mask << "; lower one mask a module";
        return signalPassFailure();
      }
      mask = source.getMaskName();
      FailureOr<unsigned> width = maskjit::requiredWidth(source);
      if (failed(width))
        return signalPassFailure();
      StringRef kind = source.getSymName().split('.').second;
      bool takesScore = isa<FloatType>(source.getFunctionType().getInput(0));
      usesHead |= !source.getBody().getArgument(takesScore ? 2 : 1).use_empty();
      if (kind == "row" || kind == "score")
        define(b, kind == "row" ? "mask_has_row" : "mask_has_score", true);
      std::string name = "mask_" + (kind.empty() ? std::string("attends") : kind.str());
      auto target = func::FuncOp::create(b, source.getLoc(), name, targetType(source));
      if (failed(BodyConverter(source, target, *width).run()))
        return signalPassFailure();
    }
    define(b, "mask_uses_head", usesHead);
    for (FuncOp source : llvm::make_early_inc_range(module.getOps<FuncOp>()))
      source.erase();
  }

  static void declare(OpBuilder &b, StringRef name, ArrayRef<Type> inputs, Type result) {
    func::FuncOp::create(b, b.getUnknownLoc(), name, b.getFunctionType(inputs, result)).setPrivate();
  }
  static void define(OpBuilder &b, StringRef name, bool value) {
    auto function = func::FuncOp::create(b, b.getUnknownLoc(), name, b.getFunctionType({}, b.getI1Type()));
    OpBuilder body = OpBuilder::atBlockEnd(function.addEntryBlock());
    Value result = arith::ConstantOp::create(body, b.getUnknownLoc(), b.getBoolAttr(value));
    func::ReturnOp::create(body, b.getUnknownLoc(), result);
  }
};

} // namespace

std::unique_ptr<Pass> maskjit::createConvertMaskToFuncPass() { return std::make_unique<ConvertMaskToFunc>(); }

void maskjit::registerCodegenPasses() {
  registerPass([] { return createConvertMaskToFuncPass(); });
}
