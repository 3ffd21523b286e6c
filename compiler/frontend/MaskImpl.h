// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a Mask holds: its IR, and what the pipeline derives from it, made on first use.
#pragma once
#include "compiler/Compiler.h"
#include "dialects/mask/MaskDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include <mutex>

namespace maskjit {
namespace frontend {
struct SyntaxTree;
struct MaskDecl;
} // namespace frontend

/// The context that all masks live in: one a process, never destroyed, every dialect of the compiler loaded.
mlir::MLIRContext &maskContext();

struct Mask::Impl {
  std::string name;
  std::vector<ParamInfo> params;
  std::string digest;
  /// `@name` and, if the mask has a score, `@name.score`.
  mlir::OwningOpRef<mlir::ModuleOp> module;

  /// The module with everything that buildMaskPipeline derives; the error is the pipeline's diagnostic. The module
  /// belongs to the mask: clone it to change it.
  Result<mlir::ModuleOp> derived() const;

  /// A mask from IR alone, for tools and tests of derivations: `module` holds `@name` (and `@name.score`), `derived`
  /// (optional) is taken as what the pipeline would give.
  static Result<Mask> fromModule(mlir::OwningOpRef<mlir::ModuleOp> module,
                                 mlir::OwningOpRef<mlir::ModuleOp> derived = {});

  /// Mask `name` of a syntax tree, or the last one; all masks of the tree are checked.
  static Result<Mask> fromTree(std::shared_ptr<const frontend::SyntaxTree> tree, std::string_view name);

  // Where the mask was written, for specialize; null if it was made from IR.
  std::shared_ptr<const frontend::SyntaxTree> tree;
  const frontend::MaskDecl *decl = nullptr;
  std::map<std::string, int64_t> fixed; // parameters that specialize has folded

private:
  mutable std::mutex mutex;
  mutable mlir::OwningOpRef<mlir::ModuleOp> derivedModule;
  mutable std::optional<Error> derivedError;
};

} // namespace maskjit
