// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The MLIR half of the CPU target.
#include "compiler/codegen/CpuModule.h"
#include "compiler/codegen/MaskToFunc.h"
#include "dialects/mask/MaskDialect.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

maskjit::Result<std::unique_ptr<llvm::Module>> maskjit::lowerMaskToLlvm(const std::string &ir,
                                                                        llvm::LLVMContext &llvmContext) {
  DialectRegistry registry;
  registry.insert<mask::MaskDialect, arith::ArithDialect, math::MathDialect, func::FuncDialect, LLVM::LLVMDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  std::string messages;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    llvm::raw_string_ostream(messages) << diagnostic.getLocation() << ": " << diagnostic.str() << "\n";
    return success();
  });

  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(ir, &context);
  if (!module)
    return Error{"error: this is no mask module:\n" + messages};
  PassManager pm(&context);
  pm.enableVerifier(false); // the passes' own checks suffice in a release; maskjit-opt verifies after each
  pm.addPass(createConvertMaskToFuncPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  if (failed(pm.run(*module)))
    return Error{"error: the mask cannot be compiled for the CPU:\n" + messages};
  std::unique_ptr<llvm::Module> result = translateModuleToLLVMIR(*module, llvmContext, "mask");
  if (!result)
    return Error{"error: the mask has no LLVM form:\n" + messages};
  return result;
}
