// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attn-fetch-ahead: while routed experts leave memory idle, the next layer's first product has its matrices fetched.
#include "compiler/transforms/Passes.h"

namespace maskjit {
#define GEN_PASS_DEF_ATTNFETCHAHEAD
#include "compiler/transforms/Passes.h.inc"
} // namespace maskjit

using namespace mlir;
using namespace maskjit;
using namespace maskjit::attn;

/// About what a cache holds beside what streams through it.
static constexpr int64_t kMostBytes = int64_t(32) << 20;

static int64_t bytesOf(Value matrix) {
  const auto type = cast<RankedTensorType>(matrix.getType());
  return type.hasStaticShape() ? type.getNumElements() * type.getElementTypeBitWidth() / 8 : kMostBytes + 1;
}

/// What is read of a matrix.
static Value memoryOf(Value matrix) {
  auto nf4 = matrix.getDefiningOp<Nf4Op>();
  return nf4 ? nf4.getCodes() : matrix;
}

/// The first product behind the routing; null if there is none.
static LinearOp nextProduct(RouteOp route) {
  for (Operation *op = route->getNextNode(); op; op = op->getNextNode())
    if (auto linear = dyn_cast<LinearOp>(op))
      return linear;
  return {};
}

namespace {
struct AttnFetchAhead : maskjit::impl::AttnFetchAheadBase<AttnFetchAhead> {
  void runOnOperation() override {
    getOperation()->walk([](RouteOp route) {
      LinearOp linear = nextProduct(route);
      if (!linear || !route.getAhead().empty())
        return;
      int64_t bytes = 0;
      SmallVector<Value> read = llvm::map_to_vector(linear.getWeights(), memoryOf);
      for (Value weight : read) {
        Operation *made = weight.getDefiningOp();
        if (made && (made->getBlock() != route->getBlock() || !made->isBeforeInBlock(route)))
          return;
        bytes += bytesOf(weight);
      }
      if (bytes <= kMostBytes)
        route.getAheadMutable().append(read);
    });
  }
};
} // namespace
