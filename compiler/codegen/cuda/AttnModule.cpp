// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Builds the attn operation that a KernelSpec stands for and runs attn-choose-schedule on it.
#include "compiler/codegen/cuda/AttnModule.h"
#include "compiler/frontend/MaskImpl.h"
#include "compiler/transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Threading.h"
#include <cmath>

using namespace mlir;

namespace maskjit::cuda {

static constexpr int64_t kAny = ShapedType::kDynamic;

static Type elementOf(Builder &builder, DType dtype) {
  return dtype == DType::F16    ? Type(builder.getF16Type())
         : dtype == DType::BF16 ? Type(builder.getBF16Type())
                                : Type(builder.getF32Type());
}

/// Appends `func.func @kernel` to the module: lengths, batch and heads unknown, as a kernel is made for all of them.
static void appendKernel(ModuleOp module, const Mask &mask, const KernelSpec &spec) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  const Location loc = module.lookupSymbol(mask.name())->getLoc();
  const auto tensor = RankedTensorType::get({kAny, kAny, kAny, spec.headDim}, elementOf(builder, spec.dtype));
  const auto rows = RankedTensorType::get({kAny, kAny, kAny}, builder.getF32Type());
  const auto sinks = RankedTensorType::get({kAny}, builder.getF32Type());
  const auto lengths = RankedTensorType::get({kAny}, builder.getI32Type());
  const auto table = RankedTensorType::get({kAny, kAny}, builder.getI32Type());

  SmallVector<Type> arguments{tensor, tensor, tensor}; // q, k, v
  if (isBackward(spec.phase))
    arguments.append({tensor, rows, tensor}); // out, lse, dout
  if (spec.phase == Phase::Decode)
    arguments.append({table, lengths});
  const unsigned firstParam = static_cast<unsigned>(arguments.size());
  for (const ParamInfo &param : mask.params()) {
    const Type element = param.isFloat ? Type(builder.getF32Type()) : Type(builder.getI32Type());
    arguments.push_back(param.axis == Axis::None ? RankedTensorType::get({kAny}, element)
                                                 : RankedTensorType::get({kAny, kAny}, element));
  }
  arguments.push_back(sinks);

  const SmallVector<Type> results =
      isBackward(spec.phase) ? SmallVector<Type>{tensor, tensor, tensor, sinks} : SmallVector<Type>{tensor, rows};
  auto kernel = func::FuncOp::create(builder, loc, "kernel", builder.getFunctionType(arguments, results));
  Block *block = kernel.addEntryBlock();
  builder.setInsertionPointToEnd(block);
  const ValueRange all = block->getArguments();
  const ValueRange params = all.slice(firstParam, mask.params().size());
  const auto symbol = FlatSymbolRefAttr::get(builder.getContext(), mask.name());
  // The scale is an argument of the launch; what stands here is the usual one.
  const FloatAttr scale = builder.getF32FloatAttr(1 / std::sqrt(static_cast<float>(spec.headDim)));

  Operation *op = nullptr;
  switch (spec.phase) {
  case Phase::Forward:
  case Phase::ForwardSm90:
    op = attn::ForwardOp::create(builder, loc, TypeRange{tensor, rows}, symbol, scale, all[0], all[1], all[2], params,
                                 all.back(), attn::ScheduleAttr());
    break;
  case Phase::Decode:
    op = attn::DecodeOp::create(builder, loc, TypeRange{tensor, rows}, symbol, scale, all[0], all[1], all[2], all[3],
                                all[4], params, all.back(), attn::ScheduleAttr());
    break;
  case Phase::BackwardDq:
  case Phase::BackwardDkDv:
    op = attn::BackwardOp::create(builder, loc, TypeRange{tensor, tensor, tensor, sinks}, symbol, scale, all[0], all[1],
                                  all[2], all[3], all[4], all[5], params, all.back(), attn::ScheduleAttr(),
                                  attn::ScheduleAttr());
    break;
  }
  func::ReturnOp::create(builder, loc, op->getResults());
}

Result<OwningOpRef<ModuleOp>> buildAttnModule(const Mask &mask, const KernelSpec &spec) {
  Result<ModuleOp> derived = mask.get().derived();
  if (!derived)
    return derived.error();
  MLIRContext &context = maskContext();
  OwningOpRef<ModuleOp> module = derived->clone();
  appendKernel(*module, mask, spec);

  std::string message;
  const uint64_t thread = llvm::get_threadid();
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (llvm::get_threadid() != thread)
      return failure(); // of another mask that is being compiled
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

std::vector<attn::ScheduleAttr> schedulesOf(ModuleOp module) {
  std::vector<attn::ScheduleAttr> schedules;
  module.walk([&](Operation *op) {
    for (const char *name : {"schedule", "dq_schedule", "dkdv_schedule"})
      if (auto schedule = op->getAttrOfType<attn::ScheduleAttr>(name))
        schedules.push_back(schedule);
  });
  return schedules;
}

} // namespace maskjit::cuda

namespace maskjit {

Result<std::string> attnIr(const Mask &mask, const KernelSpec &spec) {
  Result<OwningOpRef<ModuleOp>> module = cuda::buildAttnModule(mask, spec);
  if (!module)
    return module.error();
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*module)->print(stream);
  return text + "\n";
}

} // namespace maskjit
