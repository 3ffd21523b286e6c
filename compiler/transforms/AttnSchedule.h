// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Schedules of attention kernels as attributes: what the table gives, what one needs, whether it fits.
#pragma once
#include "compiler/Compiler.h"
#include "dialects/attn/AttnDialect.h"

namespace maskjit {

/// The table's schedule of `kernel` for the dtype, head dimension and architecture of `spec`.
Result<attn::ScheduleAttr> tableSchedule(mlir::MLIRContext *context, attn::Kernel kernel, const KernelSpec &spec);

/// Bytes of shared memory that a block takes.
int64_t sharedBytes(attn::ScheduleAttr schedule, int headDim);
/// Bytes that a block may take on `arch`, one of architectures().
int64_t sharedLimit(llvm::StringRef arch);

/// Whether `schedule` is one that its kernel has and that `arch` can run; the message says what would fit.
Result<void> checkSchedule(attn::ScheduleAttr schedule, const KernelSpec &spec);

/// As a generated file names it: `Forward<Sm80, 64, 128, 64, 2, 4>`.
std::string scheduleType(attn::ScheduleAttr schedule, int headDim);
/// As messages name it: `128x64x2`, queries x keys x stages.
std::string scheduleShape(attn::ScheduleAttr schedule);

} // namespace maskjit
