// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives every attention a schedule for an architecture, or says why it cannot have one.
#include "compiler/device/ExpertsTable.h"
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

/// Sets the table's schedule for the sizes and the class of token counts of `op`, or checks that it has that one.
static LogicalResult chooseExperts(attn::ExpertsOp op, StringRef arch) {
  ExpertsSpec spec;
  spec.hidden = static_cast<int>(op.hidden());
  spec.intermediate = static_cast<int>(op.intermediate());
  spec.expertsPerToken = static_cast<int>(op.top());
  spec.rows = static_cast<int>(op.getRowClass());
  spec.dtype = op.getInput().getType().getElementType().isF16() ? DType::F16 : DType::BF16;
  spec.arch = arch.str();
  spec.format = op.dense() ? WeightFormat::Dense : op.nf4() ? WeightFormat::Nf4 : WeightFormat::Mxfp4;
  Result<ExpertsSchedule> table = expertsSchedule(spec);
  if (!table)
    return op.emitOpError() << table.error().message;
  const auto schedule = attn::ExpertsScheduleAttr::get(
      op.getContext(), table->single ? attn::ExpertsKernel::Rows : attn::ExpertsKernel::Grouped,
      StringAttr::get(op.getContext(), table->family), table->tileTokens, table->tileRows, table->stages, table->warps);
  if (op.getSchedule() && *op.getSchedule() != schedule)
    return op.emitOpError() << "has the schedule " << *op.getSchedule() << "; kernels of class " << spec.rows << " on "
                            << arch << " have " << schedule;
  op.setScheduleAttr(schedule);
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
      if (auto experts = dyn_cast<attn::ExpertsOp>(op))
        return chooseExperts(experts, arch);
      return success();
    };
    if (getOperation()->walk(visit).wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
