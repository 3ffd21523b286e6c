// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// mask-derive-tile-class: which tiles need no work, and which no test of their elements.
#include "compiler/transforms/Derivation.h"
#include "compiler/transforms/Passes.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "mask-derive-tile-class"
ALWAYS_ENABLED_STATISTIC(functionsDerived, "classes of tiles added");
ALWAYS_ENABLED_STATISTIC(functionsAbsent, "left out because nothing useful is known");

namespace maskjit {
#define GEN_PASS_DEF_MASKDERIVETILECLASS
#include "compiler/transforms/Passes.h.inc"
} // namespace maskjit

using namespace mlir;
using namespace maskjit;
using namespace maskjit::mask;

namespace {

struct MaskDeriveTileClass : maskjit::impl::MaskDeriveTileClassBase<MaskDeriveTileClass> {
  void runOnOperation() override {
    for (FuncOp predicate : predicatesOf(getOperation())) {
      Derivation tile(predicate, "classify", Extent::Tile, Extent::Tile);
      Value any = tile.mayHold(tile.predicate(), true);
      Value fails = tile.mayHold(tile.predicate(), false);
      Value all = tile.builder().create<NotOp>(fails);
      bool isUseful = !matchPattern(any, m_One()) || !matchPattern(fails, m_One());
      tile.finish(mlir::ValueRange{any, all}, isUseful);
      ++(tile.result() ? functionsDerived : functionsAbsent);
    }
  }
};

} // namespace
