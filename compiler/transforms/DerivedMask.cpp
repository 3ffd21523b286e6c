// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Masks with derived functions of the caller's choice.
#include "compiler/transforms/DerivedMask.h"
#include "compiler/frontend/MaskImpl.h"
#include "compiler/transforms/Passes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace maskjit;

Result<Mask> maskjit::withDerivations(const Mask &mask, const MaskPipelineOptions &options) {
  ModuleOp module = *mask.get().module;
  OwningOpRef<ModuleOp> predicate(module.clone()), derived(module.clone());
  std::string message;
  ScopedDiagnosticHandler handler(&maskContext(), [&](Diagnostic &diagnostic) { message += diagnostic.str(); });
  PassManager pm(&maskContext());
  buildMaskPipeline(pm, options);
  if (failed(pm.run(*derived)))
    return Error{message};
  return Mask::Impl::fromModule(std::move(predicate), std::move(derived));
}

Result<Mask> maskjit::maskFromText(const std::string &predicate, const std::string &derived) {
  std::string message;
  ScopedDiagnosticHandler handler(&maskContext(), [&](Diagnostic &diagnostic) { message += diagnostic.str(); });
  auto parse = [](const std::string &text) { return parseSourceString<ModuleOp>(text, ParserConfig(&maskContext())); };
  OwningOpRef<ModuleOp> module = parse(predicate), functions = parse(derived);
  if (!module || !functions)
    return Error{message};
  return Mask::Impl::fromModule(std::move(module), std::move(functions));
}
