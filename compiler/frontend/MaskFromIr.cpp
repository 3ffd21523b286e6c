// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Parses modules and makes masks of them.
#include "compiler/frontend/MaskFromIr.h"
#include "compiler/frontend/CollectDiagnostics.h"
#include "compiler/frontend/MaskImpl.h"
#include "mlir/Parser/Parser.h"

namespace maskjit {

Result<Mask> maskFromIr(std::string_view ir, std::string_view derived) {
  mlir::MLIRContext &context = maskContext();
  mlir::OwningOpRef<mlir::ModuleOp> modules[2];
  const std::string messages = diagnosticsOf(context, [&] {
    modules[0] = mlir::parseSourceString<mlir::ModuleOp>(llvm::StringRef(ir.data(), ir.size()), &context, "ir");
    if (modules[0] && !derived.empty())
      modules[1] =
          mlir::parseSourceString<mlir::ModuleOp>(llvm::StringRef(derived.data(), derived.size()), &context, "derived");
  });
  if (!modules[0] || (!derived.empty() && !modules[1]))
    return Error{messages};
  return Mask::Impl::fromModule(std::move(modules[0]), std::move(modules[1]));
}

} // namespace maskjit
