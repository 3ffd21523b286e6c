// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Syntax tree to `mask` dialect: names and types are checked while operations are made, calls are inlined.
#pragma once
#include "compiler/frontend/Ast.h"
#include "compiler/frontend/Interval.h"
#include "compiler/frontend/SharedOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"
#include <array>
#include <map>

namespace maskjit::frontend {

/// The module of a mask, and its parameters as callers pass them.
struct EmittedMask {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<ParamInfo> params;
};

/// Emits `decl` of `tree`, the parameters named in `fixed` folded to their values (checked by the caller).
Result<EmittedMask> emitMask(mlir::MLIRContext &context, const SyntaxTree &tree, const MaskDecl &decl,
                             const std::map<std::string, int64_t> &fixed);

/// More operations than this in one function, or more steps to make them, and a mask is refused.
constexpr unsigned kMaxOperations = 20000, kMaxSteps = 1000000, kMaxDepth = 2000, kMaxCalls = 100;

enum class ValueKind { Integer, Truth, Real };

/// What an expression became.
struct Value {
  ValueKind kind = ValueKind::Integer;
  mlir::Value ir;
  Interval range; // of an integer
};

/// What a parameter's name means in one inlined mask.
struct Binding {
  const ParamInfo *info = nullptr; // its declaration in that mask
  Value scalar;                    // of a scalar, or of an array that is left out: its default
  mlir::StringAttr array;          // the parameter of the emitted mask that is read; null if there is none
  Interval range;                  // of the array's elements
};

/// One inlined mask: what its names mean, and where it was called.
struct Frame {
  Frame(const SyntaxTree &tree, const MaskDecl &mask) : tree(tree), mask(mask) {}

  const SyntaxTree &tree;
  const MaskDecl &mask;
  const Frame *caller = nullptr;
  SourceSpan callSite;
  std::array<std::optional<Value>, 4> coordinates; // b, h, q, k
  llvm::StringMap<Binding> params;
  struct Let {
    Value value;
    SourceRange range;
  };
  llvm::StringMap<Let> lets;
  /// By expression and inScore: one built in C++ may occur in many places.
  llvm::DenseMap<std::pair<ExprId, unsigned>, Value> done;
  bool inScore = false;
};

/// Emits one function: the predicate or the score.
class MaskEmitter {
public:
  MaskEmitter(mlir::OpBuilder &builder, const MaskDecl &root, bool inScore)
      : builder(builder), ops(builder), root(root), inScore(inScore) {}

  /// The value of `id`, of the wanted kind; none after an error.
  std::optional<Value> emit(Frame &frame, ExprId id, ValueKind wanted);
  const Error &error() const { return failure; }
  SharedOps &operations() { return ops; }
  mlir::Location location(const Frame &frame, SourceRange range);

private:
  using Emitted = std::optional<Value>;
  Emitted emit(Frame &frame, ExprId id);
  Emitted emitUncached(Frame &frame, const Expr &expr);
  Emitted convert(Frame &frame, const Expr &expr, Value value, ValueKind wanted);

  Emitted name(Frame &frame, const Expr &expr);
  Emitted index(Frame &frame, const Expr &expr);
  Emitted block(Frame &frame, const Expr &expr);
  Emitted chain(Frame &frame, const Expr &expr);
  Emitted comparison(Frame &frame, const Expr &expr);
  Emitted logic(Frame &frame, const Expr &expr);
  Emitted arithmetic(Frame &frame, const Expr &expr, SourceRange range, Operator op, Value a, Value b);
  Emitted divide(Frame &frame, const Expr &expr, SourceRange range, Operator op, Value a, Value b);

  // ---- calls ----
  Emitted call(Frame &frame, const Expr &expr);
  Emitted function(Frame &frame, const Expr &expr);
  Emitted power(Frame &frame, const Expr &expr);
  Emitted inlineMask(Frame &frame, const Expr &expr, const SyntaxTree &tree, const MaskDecl &mask);
  bool bindParams(Frame &frame, const Expr &expr, Frame &callee);
  bool bindArray(Frame &frame, const Expr &argument, Frame &callee, const ParamDecl &param, Binding &binding);

  // ---- values ----
  Value integer(mlir::Value ir, Interval range);
  Value constant(mlir::Location loc, int64_t value);
  Value real(mlir::Location loc, double value);
  Value toReal(mlir::Location loc, Value value);

  // ---- errors ----
  Emitted fail(const Frame &frame, SourceRange at, std::string_view message, std::string_view advice = {});
  Emitted unknownName(const Frame &frame, const Expr &expr);
  Emitted wrongKind(const Frame &frame, const Expr &expr, std::string_view wanted, Value value);

  mlir::OpBuilder &builder;
  SharedOps ops;
  const MaskDecl &root;
  const bool inScore;
  unsigned steps = 0, depth = 0;
  /// Calls made before, by mask and arguments.
  std::map<std::vector<const void *>, Value> calls;
  Error failure;
};

/// For messages: in full if it fits 64 bits, else rounded.
std::string decimal(Wide value);

/// The mask that `name` means in `tree`: one of its own, or of a file it imports.
struct MaskReference {
  const SyntaxTree *tree = nullptr;
  const MaskDecl *mask = nullptr;
};
MaskReference lookUpMask(const SyntaxTree &tree, std::string_view name);
std::vector<std::string> visibleMasks(const SyntaxTree &tree);

} // namespace maskjit::frontend
