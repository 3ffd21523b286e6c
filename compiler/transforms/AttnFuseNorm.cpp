// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn-fuse-norm: a norm goes into the products and the routing that read it, which saves a kernel and a round trip.
#include "compiler/transforms/Passes.h"
#include "mlir/IR/Builders.h"

namespace maskjit {
#define GEN_PASS_DEF_ATTNFUSENORM
#include "compiler/transforms/Passes.h.inc"
} // namespace maskjit

using namespace mlir;
using namespace maskjit;
using namespace maskjit::attn;

/// Every block of the product computes the mean of every row again: with more rows a kernel of its own is cheaper.
static constexpr int kMostFusedRows = 8;

static Type elementOf(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

/// linear(rms_norm(x, g)) -> linear(x) norm(g): every reader is a product of rounded rows.
static bool intoProducts(RmsNormOp norm) {
  const bool fits = !norm->use_empty() && llvm::all_of(norm->getUsers(), [&](Operation *user) {
    auto linear = dyn_cast<LinearOp>(user);
    return linear && !linear.getNorm() && linear.getInput() == norm.getOut() &&
           !elementOf(linear.getWeights()[0]).isF16();
  });
  if (!fits)
    return false;
  for (Operation *user : llvm::make_early_inc_range(norm->getUsers())) {
    auto linear = cast<LinearOp>(user);
    linear.getInputMutable().assign(norm.getInput());
    linear.getNormMutable().assign(norm.getWeight());
    linear.setEpsAttr(norm.getEpsAttr());
  }
  return true;
}

/// route(rms_norm(x, g) : f32) and another rms_norm(x, g) for the experts -> one route, which gives the second too.
static bool intoRouting(RmsNormOp norm, llvm::SmallPtrSetImpl<Operation *> &gone) {
  auto route = norm->hasOneUse() ? dyn_cast<RouteOp>(*norm->user_begin()) : RouteOp();
  if (!route || route.getNorm())
    return false;
  RmsNormOp rounded;
  for (Operation *user : norm.getInput().getUsers())
    if (auto other = dyn_cast<RmsNormOp>(user);
        other && other != norm && other.getWeight() == norm.getWeight() && other.getEpsAttr() == norm.getEpsAttr())
      rounded = other;
  if (!rounded || rounded->getBlock() != route->getBlock() || llvm::any_of(rounded->getUsers(), [&](Operation *user) {
        Operation *here = route->getBlock()->findAncestorOpInBlock(*user);
        return here && here->isBeforeInBlock(route);
      }))
    return false;
  OpBuilder builder(route);
  auto fused =
      RouteOp::create(builder, route.getLoc(),
                      TypeRange{route.getExperts().getType(), route.getScores().getType(), rounded.getOut().getType()},
                      norm.getInput(), norm.getWeight(), norm.getEpsAttr(), route.getWeight(), route.getBias(),
                      route.getPositions(), route.getTopAttr());
  route.getExperts().replaceAllUsesWith(fused.getExperts());
  route.getScores().replaceAllUsesWith(fused.getScores());
  rounded.getOut().replaceAllUsesWith(fused.getNormal());
  route.erase();
  gone.insert(rounded);
  rounded.erase();
  return true;
}

namespace {
struct AttnFuseNorm : maskjit::impl::AttnFuseNormBase<AttnFuseNorm> {
  using AttnFuseNormBase::AttnFuseNormBase;
  void runOnOperation() override {
    SmallVector<RmsNormOp> norms;
    getOperation()->walk([&](RmsNormOp op) { norms.push_back(op); });
    llvm::SmallPtrSet<Operation *, 8> gone; // into a routing, with another norm
    for (RmsNormOp norm : norms) {
      if (gone.contains(norm))
        continue;
      if (intoRouting(norm, gone) || (rows <= kMostFusedRows && intoProducts(norm)))
        norm.erase();
    }
  }
};
} // namespace
