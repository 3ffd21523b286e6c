// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pass driver: one pass at a time on textual IR.
#include "compiler/tools/MaskjitOpt.h"
#include "compiler/codegen/MaskToFunc.h"
#include "compiler/transforms/Passes.h"
#include "dialects/attn/AttnDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int maskjit::maskjitOptMain(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<mask::MaskDialect, attn::AttnDialect, mlir::arith::ArithDialect, mlir::math::MathDialect, mlir::func::FuncDialect>();
  registerMaskPasses();
  registerCodegenPasses();
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  mlir::registerSymbolDCEPass();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "maskjit-opt: passes over masks\n", registry));
}
