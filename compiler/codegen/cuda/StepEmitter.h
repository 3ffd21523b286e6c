// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes a step's launches and kernels, operation by operation. EmitStep.cpp has the step and most of its operations,
// EmitStepProducts.cpp the products.
#pragma once
#include "compiler/codegen/cuda/StepValues.h"
#include "compiler/codegen/cuda/StructureKey.h"
#include "compiler/device/LinearTable.h"
#include "dialects/attn/AttnDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <map>
#include <optional>
#include <set>

namespace maskjit::cuda {

inline bool isWide(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType()).getElementType().isF32();
}
inline int64_t features(mlir::Value value) { return mlir::cast<mlir::RankedTensorType>(value.getType()).getDimSize(1); }

class StepEmitter {
public:
  StepEmitter(const StepSpec &spec, StepProgram &program) : spec(spec), program(program), values(program) {}

  Result<void> run(mlir::func::FuncOp step);

private:
  /// Text of the entry point of a kernel.
  struct EntryText {
    std::string argument;                // its type
    std::string bounds;                  // of __launch_bounds__
    std::string call;                    // of a device function
    std::string declarations, attribute; // before it
    std::string maps;                    // the type of another argument; empty: there is none
  };
  /// How a product is computed. Hopper's kernel of many rows takes rows that are normed already.
  struct Product {
    LinearShape shape;
    int format = 0; // 0: dense, 1: NF4, 2: NF4 with absmax quantized itself
    bool manyRows = false;
    LinearSchedule schedule;
  };

  void header(bool hopperProducts);
  const char *type() const { return deviceType(spec.dtype); }
  Result<void> visit(mlir::Operation *op, mlir::ArrayRef<mlir::Operation *> later);
  void release(mlir::Operation *op, mlir::ArrayRef<mlir::Operation *> later);

  /// What a launch reads in a role, and what it writes.
  void take(StepLaunch &launch, const std::string &role, mlir::ValueRange range);
  void give(StepLaunch &launch, const std::string &role, mlir::ValueRange range);
  /// The entry of this name, which is printed once.
  int entry(const std::string &name, int threads, int sharedBytes, const EntryText &text);
  void simple(StepLaunch &launch, StepOp op, const std::string &name, const std::string &argument, int threads,
              const char *bounds, const std::string &call, int sharedBytes = 0);

  Result<void> emit(attn::EmbedOp op, StepLaunch &launch);
  Result<void> emit(attn::RmsNormOp op, StepLaunch &launch);
  Result<void> emit(attn::LinearOp op, StepLaunch &launch);
  Result<void> emit(attn::RopeOp op, StepLaunch &launch);
  Result<void> emit(attn::AppendKvOp op, StepLaunch &launch);
  Result<void> emit(attn::AddOp op, StepLaunch &launch);
  Result<void> emit(attn::RouteOp op, StepLaunch &launch);
  Result<void> emit(attn::DecodeOp op, StepLaunch &launch);
  Result<void> emit(attn::ExpertsOp op, StepLaunch &launch);
  Result<void> emit(attn::SampleOp op, StepLaunch &launch);

  // ---- products ----

  LinearShape shapeOf(attn::LinearOp op) const;
  Result<Product> productOf(attn::LinearOp op) const;
  std::optional<LinearSchedule> sm90ScheduleOf(attn::LinearOp op) const;
  /// What the products need of the embedding: memory that is 0 for adapters, cosines and sines.
  void prepareProducts(mlir::Block &block, StepLaunch &embedding);
  void tabulateTurns(attn::LinearOp op, StepLaunch &embedding);
  int productEntry(attn::LinearOp op, const Product &product, const std::string &name);
  void takeNf4(attn::LinearOp op, StepLaunch &launch);
  Result<void> emitFirstFactors(attn::LinearOp op, StepLaunch &launch);
  void takeAdapter(attn::LinearOp op, StepLaunch &launch, int tileFeatures);
  /// What gives a schedule its name in the file, which is printed once.
  std::string declared(const std::string &alias, const LinearSchedule &schedule);

  const StepSpec &spec;
  StepProgram &program;
  StepValues values;
  std::map<std::string, int> entries;
  std::set<std::string> aliases;
  int low = -1;                  // workspace of all adapters of products
  int64_t lowBytes = 0;          // of a row, that the products so far have
  int turns = -1;                // cosines and sines of each slot's position
  std::vector<int> firstResults; // of adapters' first factors, where a launch of their own computes them
};

} // namespace maskjit::cuda
