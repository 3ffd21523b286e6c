// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// mask-derive-keys and mask-derive-queries: ranges of one coordinate for a tile, and for one value, of the other.
#include "compiler/transforms/Derivation.h"
#include "compiler/transforms/Passes.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "mask-derive-keys"
ALWAYS_ENABLED_STATISTIC(keyFunctionsDerived, "ranges of keys added");
ALWAYS_ENABLED_STATISTIC(keyFunctionsAbsent, "left out because nothing useful is known");
#undef DEBUG_TYPE
#define DEBUG_TYPE "mask-derive-queries"
ALWAYS_ENABLED_STATISTIC(queryFunctionsDerived, "ranges of queries added");
ALWAYS_ENABLED_STATISTIC(queryFunctionsAbsent, "left out because nothing useful is known");

namespace maskjit {
#define GEN_PASS_DEF_MASKDERIVEKEYS
#define GEN_PASS_DEF_MASKDERIVEQUERIES
#include "compiler/transforms/Passes.h.inc"
} // namespace maskjit

using namespace mlir;
using namespace maskjit;
using namespace maskjit::mask;

namespace {

/// Names of the three functions and which coordinate they are ranges of.
struct Names {
  StringRef contained, filled, exact;
  bool ofKeys;
};

bool isConstant(Value value, int64_t expected) {
  llvm::APInt constant;
  return matchPattern(value, m_ConstantInt(&constant)) && constant.getSExtValue() == expected;
}

/// Adds the functions to `predicate`; returns how many were worth it.
unsigned deriveRanges(FuncOp predicate, const Names &names) {
  unsigned derived = 0;
  auto finish = [&](Derivation &derivation, Derivation::Range range, bool isUseful) {
    derivation.finish(range, isUseful);
    derived += derivation.result() != nullptr;
  };
  auto extents = [&](Extent other) {
    return names.ofKeys ? std::pair(other, Extent::Free) : std::pair(Extent::Free, other);
  };
  auto [tileQ, tileK] = extents(Extent::Tile);
  auto [pointQ, pointK] = extents(Extent::Point);

  Derivation contained(predicate, names.contained, tileQ, tileK);
  Derivation::Range outer = contained.contain(contained.predicate(), true);
  bool isBounded = (outer.begin && !isConstant(outer.begin, 0)) || (outer.end && !isConstant(outer.end, kMaxPosition));
  finish(contained, outer, isBounded);

  Derivation filled(predicate, names.filled, tileQ, tileK);
  Derivation::Range inner = filled.fill(filled.predicate(), true);
  finish(filled, inner, !inner.end || inner.begin != inner.end); // the same value twice: always empty

  Derivation exact(predicate, names.exact, pointQ, pointK);
  std::optional<Derivation::Range> interval = exact.exact();
  finish(exact, interval.value_or(Derivation::Range()), interval.has_value());
  return derived;
}

struct MaskDeriveKeys : maskjit::impl::MaskDeriveKeysBase<MaskDeriveKeys> {
  void runOnOperation() override {
    for (FuncOp predicate : predicatesOf(getOperation())) {
      unsigned count = deriveRanges(predicate, {"keys", "full_keys", "row", /*ofKeys=*/true});
      keyFunctionsDerived += count;
      keyFunctionsAbsent += 3 - count;
    }
  }
};

struct MaskDeriveQueries : maskjit::impl::MaskDeriveQueriesBase<MaskDeriveQueries> {
  void runOnOperation() override {
    for (FuncOp predicate : predicatesOf(getOperation())) {
      unsigned count = deriveRanges(predicate, {"queries", "full_queries", "column", /*ofKeys=*/false});
      queryFunctionsDerived += count;
      queryFunctionsAbsent += 3 - count;
    }
  }
};

} // namespace
