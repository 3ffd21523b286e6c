// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives every attention a schedule for an architecture, or says why it cannot have one.
#include "compiler/transforms/AttnSchedule.h"
#include "compiler/transforms/Passes.h"

namespace maskjit {
#define GEN_PASS_DEF_ATTNCHOOSESCHEDULE
#include "compiler/transforms/Passes.h.inc"
} // namespace maskjit

using namespace mlir;
using namespace maskjit;

static KernelSpec specOf(Type query, StringRef arch) {
  const auto type = cast<RankedTensorType>(query);
  KernelSpec spec;
  spec.dtype = type.getElementType().isF16() ? DType::F16 : type.getElementType().isBF16() ? DType::BF16 : DType::F32;
  spec.headDim = static_cast<int>(type.getDimSize(3));
  spec.arch = arch.str();
  return spec;
}

/// Checks the schedule that `op` has under `name`, or sets the table's.
static LogicalResult choose(Operation *op, StringRef name, attn::Kernel kernel, const KernelSpec &spec) {
  // The table also refuses what no schedule can help: bf16 on sm_75, fp32, a head dimension without kernels.
  Result<attn::ScheduleAttr> table = tableSchedule(op->getContext(), kernel, spec);
  if (!table)
    return op->emitOpError() << table.error().message;
  auto schedule = op->getAttrOfType<attn::ScheduleAttr>(name);
  if (!schedule) {
    op->setAttr(name, *table);
    return success();
  }
  if (schedule.getKernel() != kernel)
    return op->emitOpError() << "has a schedule of " << attn::stringifyKernel(schedule.getKernel()) << " as " << name
                             << ", which takes one of " << attn::stringifyKernel(kernel);
  if (Result<void> fits = checkSchedule(schedule, spec); !fits)
    return op->emitOpError() << fits.error().message;
  return success();
}

namespace {
struct AttnChooseSchedule : maskjit::impl::AttnChooseScheduleBase<AttnChooseSchedule> {
  using AttnChooseScheduleBase::AttnChooseScheduleBase;
  void runOnOperation() override {
    if (!llvm::is_contained(architectures(), std::string(arch))) {
      InFlightDiagnostic error = getOperation()->emitError() << "no kernels for arch '" << arch << "'; there are for ";
      llvm::interleaveComma(architectures(), error, [&](const std::string &each) { error << each; });
      return signalPassFailure();
    }
    auto visit = [&](Operation *op) -> WalkResult {
      if (auto forward = dyn_cast<attn::ForwardOp>(op))
        return choose(op, "schedule", attn::Kernel::Forward, specOf(forward.getQuery().getType(), arch));
      if (auto decode = dyn_cast<attn::DecodeOp>(op))
        return choose(op, "schedule", attn::Kernel::Decode, specOf(decode.getQuery().getType(), arch));
      if (auto backward = dyn_cast<attn::BackwardOp>(op)) {
        const KernelSpec spec = specOf(backward.getQuery().getType(), arch);
        if (failed(choose(op, "dq_schedule", attn::Kernel::BackwardDq, spec)))
          return WalkResult::interrupt();
        return choose(op, "dkdv_schedule", attn::Kernel::BackwardDkDv, spec);
      }
      return success();
    };
    if (getOperation()->walk(visit).wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
