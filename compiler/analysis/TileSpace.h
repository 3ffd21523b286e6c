// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The terms of a predicate seen from a tile: which of them vary within it, and between which bounds.
#pragma once
#include "compiler/analysis/IntegerRange.h"
#include "compiler/analysis/LinearForm.h"

namespace maskjit {

/// How a coordinate (q or k) occurs in what is derived.
enum class Extent {
  Point, // one value, an argument: a symbol
  Tile,  // [begin, end), two arguments; eliminated
  Free   // what the result is a range of
};

/// A term of a linear form.
struct Term {
  enum Kind {
    Coordinate, // q or k itself
    Begin,
    End,       // of the tile of a coordinate
    Invariant, // the same within the tile: parameters and what is computed from them
    Opaque,    // varies within the tile, but not linearly; known to lie in [Lower, Upper]
    Lower,
    Upper
  };
  Kind kind;
  mlir::Value value;   // of the predicate; for Begin and End the coordinate, for Lower and Upper the opaque value
  IntegerRange range;  // whatever the tile and the parameters
  bool varies = false; // a dimension, not a symbol
  llvm::SmallVector<Constraint, 2> relations; // that hold whenever the term occurs
};

/// A value as linear forms by cases; the cases exclude each other and one of them applies.
struct Piece {
  Disjunct guard;
  LinearForm form;
};

/// Terms of one predicate, where its coordinates q and k occur as given.
class TileSpace {
public:
  TileSpace(mask::FuncOp predicate, Extent q, Extent k);

  mlir::Value q() const { return coordinates[0]; }
  mlir::Value k() const { return coordinates[1]; }
  Extent extent(mlir::Value coordinate) const { return coordinate == q() ? extents[0] : extents[1]; }
  const Term &term(TermId id) const { return terms[id]; }
  /// The term of q or k.
  TermId coordinate(mlir::Value value) { return intern(Term::Coordinate, value); }
  TermId intern(Term::Kind kind, mlir::Value value);

  /// True if the value changes within the tile.
  bool varies(mlir::Value value);
  /// The value by cases; an opaque term where it is not linear.
  llvm::SmallVector<Piece, 1> linearize(mlir::Value value);
  /// The value as one linear form; an opaque term where it takes cases.
  LinearForm linearizeWhole(mlir::Value value);
  /// The least or greatest value of a form in the tile, over symbols. Nothing if a coefficient leaves 64 bits.
  std::optional<LinearForm> extreme(const LinearForm &form, bool upper);
  IntegerRange rangeOf(mlir::Value value) { return ranges.of(value); }
  mask::FuncOp predicate() const { return func; }

private:
  void relate(TermId id, Constraint constraint);
  void addRelations(TermId id);
  std::optional<llvm::SmallVector<Piece, 1>> combine(mlir::Value lhs, mlir::Value rhs, int64_t factor);
  std::optional<llvm::SmallVector<Piece, 1>> casesOf(mlir::Operation *op);

  mask::FuncOp func;
  mlir::Value coordinates[2];
  Extent extents[2];
  IntegerRanges ranges;
  std::vector<Term> terms;
  llvm::DenseMap<std::pair<mlir::Value, unsigned>, TermId> ids;
  llvm::DenseMap<mlir::Value, bool> variesMemo;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<Piece, 1>> linear;
};

} // namespace maskjit
