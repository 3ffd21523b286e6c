// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// mask-simplify: what the declared ranges of parameters and coordinates decide, and comparisons of linear forms.
#include "compiler/analysis/IntegerRange.h"
#include "compiler/analysis/Predicates.h"
#include "compiler/analysis/TileSpace.h"
#include "compiler/transforms/Derivation.h"
#include "compiler/transforms/Passes.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "mask-simplify"
ALWAYS_ENABLED_STATISTIC(valuesReplaced, "values replaced by a constant, an operand or a simpler value");

namespace maskjit {
#define GEN_PASS_DEF_MASKSIMPLIFY
#include "compiler/transforms/Passes.h.inc"
} // namespace maskjit

using namespace mlir;
using namespace maskjit;
using namespace maskjit::mask;
using Range = maskjit::IntegerRange;

namespace {

struct MaskSimplify : maskjit::impl::MaskSimplifyBase<MaskSimplify> {
  /// `lhs - rhs`, with equal terms cancelled, is bounded by the ranges of what is left.
  std::optional<bool> decide(CmpOp op, TileSpace &terms) {
    auto difference = addScaled(terms.linearizeWhole(op.getLhs()), terms.linearizeWhole(op.getRhs()), -1);
    if (!difference)
      return std::nullopt;
    Range range = {difference->constant, difference->constant};
    for (auto [term, coefficient] : difference->terms)
      range = range + terms.term(term).range * Range{coefficient, coefficient};
    return compare(op.getPredicate(), range, {0, 0});
  }

  /// The operand that min or max always takes; null if it depends.
  Value winner(Operation *op, IntegerRanges &ranges) {
    Value a = op->getOperand(0), b = op->getOperand(1);
    std::optional<bool> firstIsLess = compare(Predicate::le, ranges.of(a), ranges.of(b));
    if (!firstIsLess)
      return {};
    return *firstIsLess == isa<MinOp>(op) ? a : b;
  }

  void simplify(FuncOp func) {
    IntegerRanges ranges;
    // Points everywhere: every value is a linear form of coordinates and parameters or a term of its own.
    TileSpace terms(func, Extent::Point, Extent::Point);
    SmallVector<Operation *> operations;
    func.walk([&](Operation *op) { operations.push_back(op); });
    for (Operation *op : operations) {
      OpBuilder builder(op);
      auto replace = [&](Value value) {
        op->replaceAllUsesWith(mlir::ValueRange{value});
        ++valuesReplaced;
      };
      if (auto cmp = dyn_cast<CmpOp>(op)) {
        if (std::optional<bool> truth = decide(cmp, terms))
          replace(ConstantOp::create(builder, op->getLoc(), *truth));
      } else if (isa<MinOp, MaxOp>(op)) {
        if (Value value = winner(op, ranges))
          replace(value);
      } else if (auto negation = dyn_cast<NotOp>(op)) { // not x < y -> x >= y
        if (auto cmp = negation.getOperand().getDefiningOp<CmpOp>())
          replace(CmpOp::create(builder, op->getLoc(), opposite(cmp.getPredicate()), cmp.getLhs(), cmp.getRhs()));
      } else if (auto mod = dyn_cast<ModOp>(op)) { // 0 <= x < d: x mod d -> x
        if (Range x = ranges.of(mod.getLhs()); x.min >= 0 && x.max < ranges.of(mod.getRhs()).min)
          replace(mod.getLhs());
      } else if (op->getNumResults() == 1 && op->getResult(0).getType().isIndex() && !isa<ConstantOp>(op)) {
        if (Range range = ranges.of(op->getResult(0)); range.isConstant() && range.fits(64)) // one value only
          replace(ConstantOp::create(builder, op->getLoc(), int64_t(range.min)));
      }
    }
    for (Operation *op : llvm::reverse(operations))
      if (isOpTriviallyDead(op))
        op->erase();
  }

  void runOnOperation() override {
    for (FuncOp predicate : predicatesOf(getOperation()))
      simplify(predicate);
  }
};

} // namespace
