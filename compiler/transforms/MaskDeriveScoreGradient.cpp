// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// mask-derive-score-gradient: d score / d s by the chain rule, forwards through the score's operations.
#include "compiler/transforms/Passes.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/Statistic.h"
#include "llvm/ADT/TypeSwitch.h"

#define DEBUG_TYPE "mask-derive-score-gradient"
ALWAYS_ENABLED_STATISTIC(functionsDerived, "score gradients added");

namespace maskjit {
#define GEN_PASS_DEF_MASKDERIVESCOREGRADIENT
#include "compiler/transforms/Passes.h.inc"
} // namespace maskjit

using namespace mlir;
using namespace maskjit;
using namespace maskjit::mask;

namespace {

/// Derivatives by s of the values of a score function. A missing one is 0.
class Gradient {
public:
  explicit Gradient(FuncOp score) : builder(score.getContext()) {
    slopes[score.getArgument(0)] = nullptr; // 1, told apart from other values by isOne
    s = score.getArgument(0);
  }
  /// Differentiates `op`, whose operands have been differentiated; an error where there is no rule.
  LogicalResult visit(Operation *op);
  /// The slope of `value` as a value.
  Value of(Value value, OpBuilder &at);

private:
  bool depends(Value value) const { return slopes.count(value); }
  /// slope of `value` times `factor`.
  Value times(Value factor, Value value) {
    return value == s ? factor : create<arith::MulFOp>(factor, slopes.lookup(value));
  }
  Value slopeOf(Value value) { return value == s ? real(1) : slopes.lookup(value); }
  Value slopeOrZero(Value value) { return depends(value) ? slopeOf(value) : real(0); }
  Value real(float value) { return arith::ConstantOp::create(builder, location, builder.getF32FloatAttr(value)); }
  template <class Op, class... Args> Value create(Args... args) { return builder.createOrFold<Op>(location, args...); }
  Value compute(Operation *op);
  Value power(math::PowFOp op);

  OpBuilder builder;
  Location location = UnknownLoc::get(builder.getContext());
  Value s;
  llvm::DenseMap<Value, Value> slopes;
};

/// (x^c)' = c x^(c - 1) x'; the exponent does not depend on s.
Value Gradient::power(math::PowFOp op) {
  if (depends(op.getRhs()))
    return {};
  Value reduced = create<arith::SubFOp>(op.getRhs(), real(1));
  Value slope = create<arith::MulFOp>(op.getRhs(), create<math::PowFOp>(op.getLhs(), reduced));
  return times(slope, op.getLhs());
}

Value Gradient::compute(Operation *op) {
  Value y = op->getResult(0);
  auto choose = [&](arith::CmpFPredicate predicate, Value a, Value b) {
    Value first = create<arith::CmpFOp>(predicate, a, b);
    return create<arith::SelectOp>(first, slopeOrZero(a), slopeOrZero(b));
  };
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](arith::AddFOp sum) {
        if (!depends(sum.getLhs()) || !depends(sum.getRhs()))
          return slopeOf(depends(sum.getLhs()) ? sum.getLhs() : sum.getRhs());
        return create<arith::AddFOp>(slopeOf(sum.getLhs()), slopeOf(sum.getRhs()));
      })
      .Case([&](arith::SubFOp difference) {
        if (!depends(difference.getRhs()))
          return slopeOf(difference.getLhs());
        if (!depends(difference.getLhs()))
          return create<arith::NegFOp>(slopeOf(difference.getRhs()));
        return create<arith::SubFOp>(slopeOf(difference.getLhs()), slopeOf(difference.getRhs()));
      })
      .Case([&](arith::MulFOp product) { // (a b)' = a' b + a b'
        Value a = product.getLhs(), b = product.getRhs(), left, right;
        if (depends(a))
          left = times(b, a);
        if (depends(b))
          right = times(a, b);
        return !left ? right : !right ? left : create<arith::AddFOp>(left, right);
      })
      .Case([&](arith::DivFOp quotient) { // (a / b)' = (a' - (a / b) b') / b
        Value a = quotient.getLhs(), b = quotient.getRhs();
        Value numerator = slopeOrZero(a);
        if (depends(b))
          numerator = create<arith::SubFOp>(numerator, times(y, b));
        return create<arith::DivFOp>(numerator, b);
      })
      .Case([&](arith::NegFOp negation) { return create<arith::NegFOp>(slopeOf(negation.getOperand())); })
      .Case([&](arith::MinimumFOp min) { return choose(arith::CmpFPredicate::OLE, min.getLhs(), min.getRhs()); })
      .Case([&](arith::MaximumFOp max) { return choose(arith::CmpFPredicate::OGE, max.getLhs(), max.getRhs()); })
      .Case([&](arith::SelectOp select) {
        return create<arith::SelectOp>(select.getCondition(), slopeOrZero(select.getTrueValue()),
                                       slopeOrZero(select.getFalseValue()));
      })
      .Case([&](math::AbsFOp abs) {
        Value slope = slopeOf(abs.getOperand());
        Value isNegative = create<arith::CmpFOp>(arith::CmpFPredicate::OLT, abs.getOperand(), real(0));
        return create<arith::SelectOp>(isNegative, create<arith::NegFOp>(slope), slope);
      })
      .Case([&](math::TanhOp tanh) { // 1 - tanh^2
        return times(create<arith::SubFOp>(real(1), create<arith::MulFOp>(y, y)), tanh.getOperand());
      })
      .Case([&](math::ExpOp exp) { return times(y, exp.getOperand()); })
      .Case([&](math::LogOp log) { return create<arith::DivFOp>(slopeOf(log.getOperand()), log.getOperand()); })
      .Case([&](math::SqrtOp root) { // 1 / (2 sqrt)
        return create<arith::DivFOp>(slopeOf(root.getOperand()), create<arith::AddFOp>(y, y));
      })
      .Case([&](math::PowFOp op) { return power(op); })
      .Default([](Operation *) { return Value(); });
}

LogicalResult Gradient::visit(Operation *op) {
  bool varies = llvm::any_of(op->getOperands(), [&](Value operand) { return depends(operand); });
  if (!varies || op->getNumResults() != 1 || !op->getResult(0).getType().isF32()) // a comparison is constant by pieces
    return success();
  builder.setInsertionPointAfter(op);
  location = op->getLoc();
  Value slope = compute(op);
  if (!slope)
    return op->emitOpError() << "has no derivative by the score; write the score clause without it";
  slopes[op->getResult(0)] = slope;
  return success();
}

Value Gradient::of(Value value, OpBuilder &at) {
  builder.restoreInsertionPoint(at.saveInsertionPoint());
  return slopeOrZero(value);
}

struct MaskDeriveScoreGradient : maskjit::impl::MaskDeriveScoreGradientBase<MaskDeriveScoreGradient> {
  LogicalResult differentiate(FuncOp score) {
    OpBuilder builder(score);
    builder.setInsertionPointAfter(score);
    FuncOp gradient = score.clone();
    gradient.setSymName((score.getMaskName() + ".score_grad").str());
    if (Operation *stale = SymbolTable::lookupSymbolIn(getOperation(), gradient.getSymNameAttr()))
      stale->erase();
    builder.insert(gradient);
    Gradient slopes(gradient);
    SmallVector<Operation *> operations;
    for (Operation &op : gradient.getBody().front().without_terminator())
      operations.push_back(&op);
    for (Operation *op : operations)
      if (failed(slopes.visit(op)))
        return failure();
    Operation *end = gradient.getBody().front().getTerminator();
    OpBuilder atEnd(end);
    end->setOperand(0, slopes.of(end->getOperand(0), atEnd));
    for (Operation *op : llvm::reverse(operations)) // the score itself, where its slope does not need it
      if (op->use_empty())
        op->erase();
    ++functionsDerived;
    return success();
  }

  void runOnOperation() override {
    SmallVector<FuncOp> scores;
    for (FuncOp func : getOperation().getOps<FuncOp>())
      if (func.getSymName().split('.').second == "score")
        scores.push_back(func);
    for (FuncOp score : scores)
      if (failed(differentiate(score)))
        return signalPassFailure();
  }
};

} // namespace
