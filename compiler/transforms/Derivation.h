// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One function in the making that is derived from a predicate: what the derivation passes are written in.
#pragma once
#include "compiler/analysis/BoundEmitter.h"
#include "compiler/analysis/DisjunctiveForm.h"

namespace maskjit {

/// A sibling `@m.<suffix>` of predicate `@m`. Every answer is safe: it may say less than is true, never more.
class Derivation {
public:
  /// A half-open range of positions of the free coordinate; null: no bound on that side.
  struct Range {
    mlir::Value begin, end;
  };

  /// Where `q` or `k` is Free, the answers are ranges of it; the others become arguments, a tile's bounds or a point.
  Derivation(mask::FuncOp predicate, mlir::StringRef suffix, Extent q, Extent k);
  ~Derivation();

  mlir::Value predicate() { return root; }
  /// No pair of the tile makes `value` equal `truth` where it is false.
  mlir::Value mayHold(mlir::Value value, bool truth);
  /// Contains every position that, with any of the tile, makes `value` equal `truth`.
  Range contain(mlir::Value value, bool truth);
  /// With all of the tile, each of its positions makes `value` equal `truth`.
  Range fill(mlir::Value value, bool truth);
  /// Exactly the positions where the predicate holds; nothing if they may not be an interval.
  std::optional<Range> exact();

  /// Ends the function with these results; it stays if `isUseful` and 64 bits hold its integers.
  void finish(mlir::ValueRange results, bool isUseful);
  void finish(Range range, bool isUseful);
  /// The function, or null if it was not worth keeping.
  mask::FuncOp result() const { return derived; }
  BoundEmitter &builder() { return *emit; }

private:
  Range unite(Range a, Range b);
  Range intersect(Range a, Range b);
  Range larger(Range a, Range b);
  Range outside(llvm::ArrayRef<Projection> holes);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  std::vector<Projection> projections(const DisjunctiveForms::Form &form, std::optional<TermId> kept);
  bool isLinear(const DisjunctiveForms::Form &form);

  mlir::OwningOpRef<mask::FuncOp> copy; // of the predicate, solved for the free coordinate
  mlir::Value root;                     // what the copy returns
  std::unique_ptr<TileSpace> space;
  std::unique_ptr<DisjunctiveForms> forms;
  std::optional<TermId> free;
  mask::FuncOp derived;
  std::unique_ptr<BoundEmitter> emit;
};

/// The predicates of a module that are small enough to be analysed.
llvm::SmallVector<mask::FuncOp> predicatesOf(mlir::ModuleOp module);

} // namespace maskjit
