// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// mask-prove-width: 32 or 64 bits a function, or an error.
#include "compiler/analysis/IntegerWidth.h"
#include "compiler/transforms/Passes.h"

namespace maskjit {
#define GEN_PASS_DEF_MASKPROVEWIDTH
#include "compiler/transforms/Passes.h.inc"
} // namespace maskjit

using namespace mlir;
using namespace maskjit;

namespace {

struct MaskProveWidth : maskjit::impl::MaskProveWidthBase<MaskProveWidth> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<mask::FuncOp>()) {
      FailureOr<unsigned> width = requiredWidth(func);
      if (failed(width))
        return signalPassFailure();
      func->setAttr("mask.width", Builder(func).getI64IntegerAttr(*width));
    }
  }
};

} // namespace
