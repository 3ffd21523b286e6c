// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn-fuse-rope and attn-fuse-append: what follows a projection on the way into the cache goes into its epilogue.
#include "compiler/transforms/Passes.h"
#include "mlir/IR/Builders.h"

namespace maskjit {
#define GEN_PASS_DEF_ATTNFUSEROPE
#define GEN_PASS_DEF_ATTNFUSEAPPEND
#include "compiler/transforms/Passes.h.inc"
} // namespace maskjit

using namespace mlir;
using namespace maskjit;
using namespace maskjit::attn;

/// The product whose result `value` is, if nothing else reads it.
static LinearOp onlyProducer(Value value) { return value.hasOneUse() ? value.getDefiningOp<LinearOp>() : LinearOp(); }

/// Whether `value` exists where `op` stands.
static bool availableAt(Value value, Operation *op) {
  Operation *made = value.getDefiningOp();
  return !made || (made->getBlock() == op->getBlock() && made->isBeforeInBlock(op));
}

// ---- rope ----

static bool fuseRope(RopeOp rope) {
  LinearOp linear = onlyProducer(rope.getInput());
  if (!linear || linear.getKeyPages() || linear.getResidual() || !availableAt(rope.getPositions(), linear) ||
      !availableAt(rope.getFrequencies(), linear))
    return false;
  if (linear.getPositions() &&
      (linear.getPositions() != rope.getPositions() || linear.getFrequencies() != rope.getFrequencies() ||
       linear.getRopeScaleAttr() != rope.getScaleAttr() || linear.getHeadDimAttr() != rope.getHeadAttr()))
    return false;
  SmallVector<bool> rotate(linear.getOuts().size(), false);
  if (linear.getRotate())
    llvm::copy(*linear.getRotate(), rotate.begin());
  bool &turned = rotate[cast<OpResult>(rope.getInput()).getResultNumber()];
  if (turned)
    return false;
  turned = true;
  linear.getPositionsMutable().assign(rope.getPositions());
  linear.getFrequenciesMutable().assign(rope.getFrequencies());
  linear.setRopeScaleAttr(rope.getScaleAttr());
  linear.setHeadDimAttr(rope.getHeadAttr());
  linear.setRotateAttr(DenseBoolArrayAttr::get(rope.getContext(), rotate));
  rope.getOut().replaceAllUsesWith(rope.getInput());
  rope.erase();
  return true;
}

namespace {
struct AttnFuseRope : maskjit::impl::AttnFuseRopeBase<AttnFuseRope> {
  void runOnOperation() override {
    getOperation()->walk([](RopeOp op) { fuseRope(op); });
  }
};
} // namespace

// ---- append ----

/// The pages stand in the place of the last two results.
static bool fuseAppend(AppendKvOp append) {
  LinearOp linear = onlyProducer(append.getKey());
  if (!linear || linear != onlyProducer(append.getValue()) || linear.getKeyPages() || linear.getResidual())
    return false;
  const size_t results = linear.getOuts().size();
  if (results < 2 || linear.getOuts()[results - 2] != append.getKey() ||
      linear.getOuts()[results - 1] != append.getValue())
    return false;
  // The kernel finds the place by the positions that it turns by.
  if (linear.getPositions() != append.getPositions())
    return false;
  for (Value value : {append.getKeyPages(), append.getValuePages(), append.getTable()})
    if (!availableAt(value, linear))
      return false;
  OpBuilder builder(append);
  SmallVector<Type> types(linear.getResultTypes());
  types.resize(results - 2);
  types.append({append.getNewKeyPages().getType(), append.getNewValuePages().getType()});
  auto fused = LinearOp::create(builder, linear.getLoc(), types, linear.getInput(), linear.getNorm(),
                                linear.getEpsAttr(), linear.getWeights(), linear.getBiases(), linear.getPositions(),
                                linear.getFrequencies(), linear.getRopeScaleAttr(), linear.getHeadDimAttr(),
                                linear.getRotateAttr(), append.getKeyPages(), append.getValuePages(), append.getTable(),
                                Value(), linear.getLoraA(), linear.getLoraB(), linear.getAdaptedAttr());
  // At the product's own place, which may be before uses of its other results.
  fused->moveBefore(linear);
  for (size_t i = 0; i + 2 < results; ++i)
    linear.getOuts()[i].replaceAllUsesWith(fused.getOuts()[i]);
  append.getNewKeyPages().replaceAllUsesWith(fused.getOuts()[results - 2]);
  append.getNewValuePages().replaceAllUsesWith(fused.getOuts()[results - 1]);
  append.erase();
  linear.erase();
  return true;
}

namespace {
struct AttnFuseAppend : maskjit::impl::AttnFuseAppendBase<AttnFuseAppend> {
  void runOnOperation() override {
    getOperation()->walk([](AppendKvOp op) { fuseAppend(op); });
  }
};
} // namespace
