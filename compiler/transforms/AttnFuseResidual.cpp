// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn-fuse-residual: the kernel that makes an addend of the residual stream adds it, in fp32 and without rounding it.
#include "compiler/transforms/Passes.h"
#include "mlir/IR/Builders.h"

namespace maskjit {
#define GEN_PASS_DEF_ATTNFUSERESIDUAL
#include "compiler/transforms/Passes.h.inc"
} // namespace maskjit

using namespace mlir;
using namespace maskjit;
using namespace maskjit::attn;

/// Gives the residual to whoever made the addend; null where that cannot take it.
static Operation *takeResidual(Value addend, Value residual) {
  if (auto linear = addend.getDefiningOp<LinearOp>()) {
    if (linear.getOuts().size() != 1 || linear.getResidual() || linear.getPositions())
      return nullptr;
    linear.getResidualMutable().assign(residual);
    return linear;
  }
  if (auto experts = addend.getDefiningOp<ExpertsOp>()) {
    if (experts.getResidual())
      return nullptr;
    experts.getResidualMutable().assign(residual);
    return experts;
  }
  return nullptr;
}

static void fuse(AddOp add) {
  Value addend = add.getRows();
  Operation *maker = addend.hasOneUse() ? takeResidual(addend, add.getResidual()) : nullptr;
  if (!maker)
    return;
  addend.setType(add.getOut().getType());
  add.getOut().replaceAllUsesWith(addend);
  // The residual may be made after the addend; the sum never is.
  maker->moveBefore(add);
  add.erase();
}

namespace {
struct AttnFuseResidual : maskjit::impl::AttnFuseResidualBase<AttnFuseResidual> {
  void runOnOperation() override {
    getOperation()->walk([](AddOp op) { fuse(op); });
  }
};
} // namespace
