// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn-fuse-projections: matrices that multiply the same rows become one product, so that one kernel fills the GPU.
#include "compiler/transforms/Passes.h"
#include "mlir/IR/Builders.h"

namespace maskjit {
#define GEN_PASS_DEF_ATTNFUSEPROJECTIONS
#include "compiler/transforms/Passes.h.inc"
} // namespace maskjit

using namespace mlir;
using namespace maskjit;
using namespace maskjit::attn;

/// A product of one matrix and nothing else.
static bool isPlain(LinearOp op) {
  return op.getWeights().size() == 1 && !op.getNorm() && !op.getPositions() && !op.getKeyPages() && !op.getResidual();
}

/// The rank of its adapter; 0: none.
static int64_t rankOf(LinearOp op) {
  return op.getLoraA().empty() ? 0 : cast<RankedTensorType>(op.getLoraA()[0].getType()).getDimSize(0);
}

/// How a matrix is held: dense, NF4, NF4 with absmax quantized itself.
static int formatOf(Value matrix) {
  auto nf4 = matrix.getDefiningOp<Nf4Op>();
  return !nf4 ? 0 : nf4.getNested().empty() ? 1 : 2;
}

static bool alike(LinearOp a, LinearOp b) {
  if (rankOf(a) && rankOf(b) && rankOf(a) != rankOf(b))
    return false;
  auto element = [](Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); };
  return a.getInput() == b.getInput() && a.getBiases().size() == b.getBiases().size() &&
         formatOf(a.getWeights()[0]) == formatOf(b.getWeights()[0]) &&
         element(a.getWeights()[0]) == element(b.getWeights()[0]) && element(a.getOuts()[0]) == element(b.getOuts()[0]);
}

/// One product in the place of the last: everything that the others need stands before it.
static void merge(SmallVector<LinearOp> &group) {
  OpBuilder builder(group.back());
  SmallVector<Value> weights, biases, a, b;
  SmallVector<Type> types;
  SmallVector<bool> adapted;
  for (LinearOp op : group) {
    llvm::append_range(weights, op.getWeights());
    llvm::append_range(biases, op.getBiases());
    llvm::append_range(types, op.getResultTypes());
    llvm::append_range(a, op.getLoraA());
    llvm::append_range(b, op.getLoraB());
    adapted.push_back(!op.getLoraA().empty());
  }
  const auto some = a.empty() ? DenseBoolArrayAttr() : builder.getDenseBoolArrayAttr(adapted);
  auto merged = LinearOp::create(builder, group.front().getLoc(), types, group.front().getInput(), Value(), FloatAttr(),
                                 weights, biases, Value(), Value(), FloatAttr(), IntegerAttr(), DenseBoolArrayAttr(),
                                 Value(), Value(), Value(), Value(), a, b, some);
  for (auto [op, result] : llvm::zip(group, merged.getOuts())) {
    op.getOuts()[0].replaceAllUsesWith(result);
    op.erase();
  }
}

namespace {
struct AttnFuseProjections : maskjit::impl::AttnFuseProjectionsBase<AttnFuseProjections> {
  void runOnOperation() override {
    SmallVector<SmallVector<LinearOp>> groups;
    getOperation()->walk([&](LinearOp op) {
      if (!isPlain(op))
        return;
      for (SmallVector<LinearOp> &group : groups)
        if (group.front()->getBlock() == op->getBlock() && alike(group.front(), op)) {
          // The merged product stands at the last one: no result may be needed earlier.
          const bool early = llvm::any_of(group, [&](LinearOp each) {
            return llvm::any_of(each->getUsers(), [&](Operation *user) {
              Operation *here = op->getBlock()->findAncestorOpInBlock(*user);
              return here && here->isBeforeInBlock(op);
            });
          });
          if (!early) {
            group.push_back(op);
            return;
          }
        }
      groups.push_back({op});
    });
    for (SmallVector<LinearOp> &group : groups)
      if (group.size() > 1)
        merge(group);
  }
};
} // namespace
