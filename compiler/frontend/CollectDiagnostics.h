// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// MLIR's diagnostics as text, for the errors that leave the library.
#pragma once
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Location.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/Threading.h"
#include "llvm/Support/raw_ostream.h"
#include <string>

namespace maskjit {

/// Runs `work` with what this thread's diagnostics say collected into one message.
template <class Work> std::string diagnosticsOf(mlir::MLIRContext &context, Work work) {
  std::string messages;
  const uint64_t thread = llvm::get_threadid();
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    if (llvm::get_threadid() != thread)
      return mlir::failure();
    llvm::raw_string_ostream stream(messages);
    if (!messages.empty())
      stream << "\n";
    if (!mlir::isa<mlir::UnknownLoc>(diagnostic.getLocation()))
      stream << diagnostic.getLocation() << ": ";
    stream << (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error ? "error: " : "note: ") << diagnostic;
    return mlir::success();
  });
  work();
  return messages;
}

} // namespace maskjit
