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

static bool fuse(AddOp add) {
  auto linear = add.getRows().hasOneUse() ? add.getRows().getDefiningOp<LinearOp>() : LinearOp();
  if (!linear || linear.getOuts().size() != 1 || linear.getResidual() || linear.getPositions())
    return false;
  linear.getResidualMutable().assign(add.getResidual());
  linear.getOuts()[0].setType(add.getOut().getType());
  add.getOut().replaceAllUsesWith(linear.getOuts()[0]);
  // The residual may be made after the product; the sum never is.
  linear->moveBefore(add);
  add.erase();
  return true;
}

namespace {
struct AttnFuseResidual : maskjit::impl::AttnFuseResidualBase<AttnFuseResidual> {
  void runOnOperation() override {
    getOperation()->walk([](AddOp op) { fuse(op); });
  }
};
} // namespace
