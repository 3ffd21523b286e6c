// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Needs of a schedule, from the same functions that the device headers use, against what an architecture has.
#include "compiler/transforms/AttnSchedule.h"
#include "compiler/device/ScheduleTable.h"
#include "compiler/device/schedules.h"
#include "llvm/ADT/StringSwitch.h"
#include <fmt/format.h>

using namespace maskjit;
using attn::Kernel;
using attn::ScheduleAttr;

Result<ScheduleAttr> maskjit::tableSchedule(mlir::MLIRContext *context, Kernel kernel, const KernelSpec &spec) {
  Result<Schedule> row = kernel == Kernel::Forward      ? forwardSchedule(spec)
                         : kernel == Kernel::Decode     ? decodeSchedule(spec)
                         : kernel == Kernel::BackwardDq ? backwardDqSchedule(spec)
                                                        : backwardDkDvSchedule(spec);
  if (!row)
    return row.error();
  return ScheduleAttr::get(context, kernel, mlir::StringAttr::get(context, row->family), row->tileQueries,
                           row->tileKeys, row->stages, row->warps);
}

int64_t maskjit::sharedBytes(ScheduleAttr s, int headDim) {
  switch (s.getKernel()) {
  case Kernel::Forward:
    return device::forward_shared_bytes(headDim, s.getTileQueries(), s.getTileKeys(), s.getStages());
  case Kernel::Decode:
    return device::decode_shared_bytes(headDim, s.getTileKeys(), s.getStages(), s.getWarps());
  case Kernel::BackwardDq:
    return device::backward_dq_shared_bytes(headDim, s.getTileQueries(), s.getTileKeys(), s.getStages());
  case Kernel::BackwardDkDv:
    return device::backward_dkdv_shared_bytes(headDim, s.getTileQueries(), s.getTileKeys(), s.getStages());
  }
  llvm_unreachable("a kernel of the enumeration");
}

int64_t maskjit::sharedLimit(llvm::StringRef arch) {
  // CUDA C++ Programming Guide, technical specifications by compute capability: the most that a block may opt in to.
  const int64_t kibibytes = llvm::StringSwitch<int64_t>(arch)
                                .Case("sm_75", 64)
                                .Case("sm_80", 163)
                                .Cases({"sm_86", "sm_89", "sm_120"}, 99)
                                .Default(227); // sm_90a, sm_100, sm_103
  return kibibytes * 1024;
}

std::string maskjit::scheduleShape(ScheduleAttr s) {
  return fmt::format("{}x{}x{}", s.getTileQueries(), s.getTileKeys(), s.getStages());
}

std::string maskjit::scheduleType(ScheduleAttr s, int headDim) {
  const std::string family = s.getFamily().str();
  switch (s.getKernel()) {
  case Kernel::Decode:
    return fmt::format("Decode<{}, {}, {}, {}, {}>", family, headDim, s.getTileKeys(), s.getStages(), s.getWarps());
  case Kernel::Forward:
  case Kernel::BackwardDq:
  case Kernel::BackwardDkDv:
    return fmt::format("{}<{}, {}, {}, {}, {}, {}>",
                       s.getKernel() == Kernel::Forward      ? "Forward"
                       : s.getKernel() == Kernel::BackwardDq ? "BackwardDq"
                                                             : "BackwardDkDv",
                       family, headDim, s.getTileQueries(), s.getTileKeys(), s.getStages(), s.getWarps());
  }
  llvm_unreachable("a kernel of the enumeration");
}

/// A schedule near `s` that fits into `limit`: fewer stages first, then halves of the key tile. Null if none does.
static ScheduleAttr nearestFit(ScheduleAttr s, int headDim, int64_t limit) {
  for (int keys = s.getTileKeys(); keys >= 16; keys /= 2)
    for (int stages = s.getStages(); stages >= 1; --stages) {
      auto smaller = ScheduleAttr::get(s.getContext(), s.getKernel(), s.getFamily(), s.getTileQueries(), keys, stages,
                                       s.getWarps());
      if (sharedBytes(smaller, headDim) <= limit)
        return smaller;
    }
  return {};
}

/// The rules that the kernels' static assertions hold, so that a schedule is refused before NVRTC sees it.
static std::string brokenRule(ScheduleAttr s) {
  const int queries = s.getTileQueries(), keys = s.getTileKeys(), warps = s.getWarps();
  auto multipleOf16 = [](llvm::StringRef what, int value) {
    return value % 16 ? fmt::format("{} must be a multiple of 16, got {}", what.str(), value) : std::string();
  };
  std::string broken = multipleOf16("tile_keys", keys);
  if (broken.empty())
    broken = multipleOf16("tile_queries", queries);
  if (!broken.empty())
    return broken;
  if (s.getKernel() == Kernel::Decode)
    return queries == device::kDecodeTileQ
               ? ""
               : fmt::format("decode has {} rows a block, got tile_queries = {}", device::kDecodeTileQ, queries);
  if (s.getStages() > 2)
    return fmt::format("this kernel has 1 or 2 stages, got {}", s.getStages());
  const bool byKeys = s.getKernel() == Kernel::BackwardDkDv;
  const int tile = byKeys ? keys : queries, split = byKeys ? std::max(1, warps * 16 / keys) : 1;
  if (tile * split != 16 * warps && tile * split != 32 * warps)
    return fmt::format("a warp works on 16 or 32 rows: {} rows need {} or {} warps, got {}", tile,
                       std::max(1, tile / 32), tile / 16, warps);
  return "";
}

Result<void> maskjit::checkSchedule(ScheduleAttr s, const KernelSpec &spec) {
  const bool turing = spec.arch == "sm_75";
  if (s.getFamily() != "Sm75" && s.getFamily() != "Sm80")
    return Error{fmt::format("schedule family \"{}\" is unknown; there are Sm75 and Sm80", s.getFamily().str())};
  if (turing != (s.getFamily() == "Sm75"))
    return Error{fmt::format("schedule family {} is not for {}; it takes {}", s.getFamily().str(), spec.arch,
                             turing ? "Sm75" : "Sm80")};
  if (std::string broken = brokenRule(s); !broken.empty())
    return Error{fmt::format("schedule {}: {}", scheduleShape(s), broken)};
  const int64_t need = sharedBytes(s, spec.headDim), limit = sharedLimit(spec.arch);
  if (need <= limit)
    return {};
  std::string message = fmt::format("schedule {} needs {} bytes of shared memory at D = {}; {} has {}",
                                    scheduleShape(s), need, spec.headDim, spec.arch, limit);
  if (ScheduleAttr fit = nearestFit(s, spec.headDim, limit))
    message += fmt::format(". {} fits ({})", scheduleShape(fit), sharedBytes(fit, spec.headDim));
  return Error{message};
}
