// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Experts from a structure to IR with a schedule, and from there to CUDA C++.
#include "compiler/codegen/cuda/StructureKey.h"
#include "compiler/device/ExpertsTable.h"
#include "compiler/frontend/MaskImpl.h"
#include "compiler/transforms/Passes.h"
#include "dialects/attn/AttnDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Threading.h"
#include <fmt/format.h>

using namespace mlir;

namespace maskjit {

/// Raised by whoever changes what this file writes for a structure that stays the same.
static constexpr int kGeneratorVersion = 3;

/// `func.func @kernel` with one attn.experts: tokens and experts unknown, as a kernel is made for all of them.
static OwningOpRef<ModuleOp> buildModule(MLIRContext &context, const ExpertsSpec &spec) {
  constexpr int64_t kAny = ShapedType::kDynamic;
  OpBuilder builder(&context);
  const Location loc = builder.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, loc);
  builder.setInsertionPointToEnd(module->getBody());
  const Type element = spec.dtype == DType::F16 ? Type(builder.getF16Type()) : Type(builder.getBF16Type());
  const Type i8 = builder.getI8Type(), f32 = builder.getF32Type();
  const int64_t hidden = spec.hidden, inner = spec.intermediate, top = spec.expertsPerToken;
  auto tensor = [](ArrayRef<int64_t> shape, Type type) -> Type { return RankedTensorType::get(shape, type); };
  SmallVector<Type> arguments{tensor({kAny, hidden}, element), tensor({kAny, top}, builder.getI32Type()),
                              tensor({kAny, top}, f32)};
  for (auto [rows, columns] : {std::pair(2 * inner, hidden), std::pair(hidden, inner)}) {
    if (spec.format == WeightFormat::Dense)
      arguments.push_back(tensor({kAny, columns, rows}, element));
    else if (spec.format == WeightFormat::Nf4)
      arguments.append(
          {tensor({kAny, rows, columns / 2}, i8), tensor({16}, f32), tensor({kAny, rows, columns / 64}, f32)});
    else
      arguments.append({tensor({kAny, rows, columns / 32, 16}, i8), tensor({kAny, rows, columns / 32}, i8)});
    arguments.push_back(tensor({kAny, rows}, element));
  }
  arguments.push_back(tensor({kAny, hidden}, f32)); // the residual
  const Type result = arguments.back();
  auto kernel = func::FuncOp::create(builder, loc, "kernel", builder.getFunctionType(arguments, result));
  Block *block = kernel.addEntryBlock();
  builder.setInsertionPointToEnd(block);
  const SmallVector<Value> a(block->getArguments());
  const ArrayRef<Value> matrices = ArrayRef(a).drop_front(3).drop_back();
  // alpha and limit are arguments of the launch; what stands here are the usual ones.
  auto op = attn::ExpertsOp::create(builder, loc, result, a[0], a[1], a[2], matrices.take_front(matrices.size() / 2),
                                    matrices.drop_front(matrices.size() / 2), a.back(), ValueRange(), ValueRange(),
                                    builder.getF32FloatAttr(1.702f), builder.getF32FloatAttr(7.f),
                                    builder.getI32IntegerAttr(spec.rows), attn::ExpertsScheduleAttr());
  func::ReturnOp::create(builder, loc, op->getResults());
  return module;
}

static Result<OwningOpRef<ModuleOp>> scheduledModule(const ExpertsSpec &spec) {
  MLIRContext &context = maskContext();
  if (spec.kind != ExpertsKind::Layer)
    return Error{"attn.experts describes a whole layer of experts; a single product has no operation of its own"};
  if (Result<ExpertsSchedule> exists = expertsSchedule(spec); !exists)
    return exists.error(); // sizes that are no shape of tensors, too
  OwningOpRef<ModuleOp> module = buildModule(context, spec);
  std::string message;
  const uint64_t thread = llvm::get_threadid();
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (llvm::get_threadid() != thread)
      return failure();
    message += (message.empty() ? "" : "\n") + diagnostic.str();
    return success();
  });
  AttnChooseScheduleOptions options;
  options.arch = spec.arch;
  PassManager passes(&context);
  passes.addPass(createAttnChooseSchedule(options));
  if (failed(passes.run(*module)))
    return Error{message};
  return module;
}

Result<std::string> attnIr(const ExpertsSpec &spec) {
  Result<OwningOpRef<ModuleOp>> module = scheduledModule(spec);
  if (!module)
    return module.error();
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*module)->print(stream);
  return text + "\n";
}

static std::string structureOf(const ExpertsSpec &spec, const ExpertsSchedule &schedule) {
  return fmt::format("experts {} kind {}, {} x {}, {} a token; {}; {}; {}",
                     spec.format == WeightFormat::Dense ? "dense"
                     : spec.format == WeightFormat::Nf4 ? "nf4"
                                                        : "mxfp4",
                     static_cast<int>(spec.kind), spec.hidden, spec.intermediate, spec.expertsPerToken,
                     cuda::deviceType(spec.dtype), spec.arch, schedule.type);
}

Result<std::string> cudaKey(const ExpertsSpec &spec) {
  Result<ExpertsSchedule> schedule = expertsSchedule(spec);
  if (!schedule)
    return schedule.error();
  return cuda::structureKey(kGeneratorVersion, structureOf(spec, *schedule));
}

/// The schedule that the operation has, with the table's numbers of threads and bytes.
static Result<ExpertsSchedule> scheduleOf(attn::ExpertsOp op, const ExpertsSpec &spec) {
  Result<ExpertsSchedule> schedule = expertsSchedule(spec);
  if (schedule && (op.getSchedule()->getKernel() == attn::ExpertsKernel::Rows) != schedule->single)
    return Error{"the operation's schedule is of another kernel than its class"};
  return schedule;
}

/// The schedule of a layer by way of the IR, of a single product from the table.
static Result<ExpertsSchedule> chooseSchedule(const ExpertsSpec &spec) {
  if (spec.kind != ExpertsKind::Layer)
    return expertsSchedule(spec);
  Result<OwningOpRef<ModuleOp>> module = scheduledModule(spec);
  if (!module)
    return module.error();
  attn::ExpertsOp op;
  (*module)->walk([&](attn::ExpertsOp found) { op = found; });
  return scheduleOf(op, spec);
}

Result<CudaKernel> emitCuda(const ExpertsSpec &spec) {
  Result<ExpertsSchedule> schedule = chooseSchedule(spec);
  if (!schedule)
    return schedule.error();
  CudaKernel kernel;
  kernel.key = cuda::structureKey(kGeneratorVersion, structureOf(spec, *schedule));
  kernel.options = cuda::compileOptions();
  printExperts(kernel, spec, *schedule, "maskjit " MASKJIT_VERSION);
  return kernel;
}

} // namespace maskjit
