// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes terms, linear forms and their extremes over a tile as operations of a derived function.
#pragma once
#include "compiler/analysis/Elimination.h"
#include "mlir/IR/IRMapping.h"

namespace maskjit {

/// The arguments of a derived function for one coordinate: its value, or the tile's bounds; null where it is free.
struct CoordinateArguments {
  mlir::Value point, begin, end;
};

class BoundEmitter {
public:
  BoundEmitter(TileSpace &space, mask::FuncOp derived, CoordinateArguments q, CoordinateArguments k);

  mlir::Value form(const LinearForm &form);
  mlir::Value condition(const Constraint &constraint);
  /// Whether any value of the projected variable satisfies its bounds and conditions.
  mlir::Value isInhabited(const Projection &projection);
  /// All conditions of a projection.
  mlir::Value conditions(const Projection &projection);
  /// The greatest lower bound; null without one.
  mlir::Value greatestLower(const Projection &projection);
  /// One past the least upper bound; null without one.
  mlir::Value leastEnd(const Projection &projection);

  template <class Op, class... Args> mlir::Value create(Args &&...args) {
    return builder.createOrFold<Op>(location, std::forward<Args>(args)...);
  }
  mlir::Value constant(int64_t value);
  mlir::Value constant(bool value);

private:
  mlir::Value term(TermId id);
  mlir::Value clone(mlir::Value value);
  mlir::Value extreme(mlir::Value value, bool upper);
  mlir::Value extremeOfOpaque(mlir::Value value, bool upper);
  mlir::Value product(mlir::Value a, mlir::Value b, bool upper);
  mlir::Value quotient(mask::FloorDivOp op, bool upper);
  mlir::Value rounded(const Bound &bound, bool up);

  TileSpace &space;
  mlir::OpBuilder builder;
  mlir::Location location;
  CoordinateArguments q, k;
  mlir::IRMapping invariants;
  llvm::DenseMap<std::pair<mlir::Value, unsigned>, mlir::Value> extremes;
};

} // namespace maskjit
