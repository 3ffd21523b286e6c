// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Creates operations so that equal terms are one operation: folds first, then looks the term up.
#pragma once
#include "dialects/mask/MaskDialect.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"

namespace maskjit::frontend {

/// Builds into one block. Operands of commutative operations are put in order, constants last.
class SharedOps {
public:
  explicit SharedOps(mlir::OpBuilder &builder) : builder(builder) {}

  mlir::Value integer(mlir::Location loc, int64_t value);
  mlir::Value truth(mlir::Location loc, bool value);
  mlir::Value real(mlir::Location loc, float value);

  template <class Op> mlir::Value unary(mlir::Location loc, mlir::Value operand) {
    return lookUp({mlir::TypeID::get<Op>(), operand.getAsOpaquePointer(), nullptr, 0},
                  [&] { return Op::create(builder, loc, operand); });
  }
  template <class Op> mlir::Value binary(mlir::Location loc, mlir::Value a, mlir::Value b) {
    if (Op::template hasTrait<mlir::OpTrait::IsCommutative>() && order(b) < order(a))
      std::swap(a, b);
    return lookUp({mlir::TypeID::get<Op>(), a.getAsOpaquePointer(), b.getAsOpaquePointer(), 0},
                  [&] { return Op::create(builder, loc, a, b); });
  }
  mlir::Value compare(mlir::Location loc, mask::Predicate predicate, mlir::Value a, mlir::Value b);
  mlir::Value param(mlir::Location loc, mlir::Type type, mlir::StringAttr name);
  mlir::Value load(mlir::Location loc, mlir::Type type, mlir::StringAttr name, mlir::Value position);

  /// Operations made so far, folded ones not counted.
  unsigned size() const { return count; }

private:
  /// Operation, operands, and an attribute or enumerator.
  using Key = std::tuple<mlir::TypeID, const void *, const void *, uintptr_t>;
  template <class Create> mlir::Value lookUp(Key key, Create create) {
    if (mlir::Value known = terms.lookup(key))
      return known;
    const mlir::Value made = fold(create()); // may look up other terms
    return terms[key] = made;
  }
  mlir::Value fold(mlir::Operation *op);
  /// Arguments and operations in the order of their making; constants come after all.
  unsigned order(mlir::Value value) const;

  mlir::OpBuilder &builder;
  llvm::DenseMap<Key, mlir::Value> terms;
  llvm::DenseMap<mlir::Value, unsigned> numbers;
  unsigned count = 0;
};

} // namespace maskjit::frontend
