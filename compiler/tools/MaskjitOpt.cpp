// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pass driver: one pass at a time on textual IR.
#include "compiler/tools/MaskjitOpt.h"
#include "compiler/codegen/MaskToFunc.h"
#include "compiler/transforms/Passes.h"
#include "dialects/attn/AttnDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/Statistic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"
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

/// Runs what the flags say on the file that they name.
static mlir::LogicalResult runOnFile(int argc, char **argv, mlir::DialectRegistry &registry) {
  auto [inputName, outputName] =
      mlir::registerAndParseCLIOptions(argc, argv, "maskjit-opt: passes over masks\n", registry);
  mlir::MlirOptMainConfig config = mlir::MlirOptMainConfig::createFromCLOptions();
  if (config.shouldShowDialects()) {
    llvm::outs() << "Registered dialects:";
    for (llvm::StringRef name : registry.getDialectNames())
      llvm::outs() << ' ' << name;
    llvm::outs() << '\n';
    return mlir::success();
  }
  std::string error;
  std::unique_ptr<llvm::MemoryBuffer> input = mlir::openInputFile(inputName, &error);
  std::unique_ptr<llvm::ToolOutputFile> output = input ? mlir::openOutputFile(outputName, &error) : nullptr;
  if (!output) {
    llvm::errs() << error << '\n';
    return mlir::failure();
  }
  if (mlir::failed(mlir::MlirOptMain(output->os(), std::move(input), registry, config)))
    return mlir::failure();
  output->keep();
  return mlir::success();
}

int maskjit::maskjitOptMain(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
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
  mlir::LogicalResult result = runOnFile(argc, argv, registry);
  if (wantsStatistics)
    llvm::PrintStatistics(llvm::errs());
  return mlir::asMainReturnCode(result);
}
