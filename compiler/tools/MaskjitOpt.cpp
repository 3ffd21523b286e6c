// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pass driver: one pass at a time on textual IR.
#include "compiler/tools/MaskjitOpt.h"
#include "compiler/codegen/MaskToFunc.h"
#include "compiler/transforms/Passes.h"
#include "dialects/attn/AttnDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/Statistic.h"
#include "llvm/Support/raw_ostream.h"

/// Takes `-mlir-pass-statistics` out of the arguments. MLIR's own report is empty where LLVM was built for release, as
/// distributions build it; the passes here count in any build.
static bool takeStatisticsFlag(int &argc, char **argv) {
  char **end = std::remove_if(argv + 1, argv + argc, [](llvm::StringRef argument) {
    return argument == "-mlir-pass-statistics" || argument == "--mlir-pass-statistics";
  });
  bool found = end != argv + argc;
  argc = int(end - argv);
  return found;
}

int maskjit::maskjitOptMain(int argc, char **argv) {
  bool wantsStatistics = takeStatisticsFlag(argc, argv);
  if (wantsStatistics)
    llvm::EnableStatistics(/*DoPrintOnExit=*/false);
  mlir::DialectRegistry registry;
  registry.insert<mask::MaskDialect, attn::AttnDialect, mlir::arith::ArithDialect, mlir::math::MathDialect,
                  mlir::func::FuncDialect>();
  registerMaskPasses();
  registerCodegenPasses();
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  mlir::registerSymbolDCEPass();
  mlir::LogicalResult result = mlir::MlirOptMain(argc, argv, "maskjit-opt: passes over masks\n", registry);
  if (wantsStatistics)
    llvm::PrintStatistics(llvm::errs());
  return mlir::asMainReturnCode(result);
}
