// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The generated file: a mask, schedules, and one line for each kernel; everything else is in the device headers.
#include "compiler/codegen/cuda/AttnModule.h"
#include "compiler/codegen/cuda/CudaMask.h"
#include "compiler/codegen/cuda/StructureKey.h"
#include "compiler/device/ScheduleTable.h"
#include "compiler/device/attention_args.h"
#include "compiler/frontend/MaskImpl.h"
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace maskjit {

/// Raised by whoever changes what this folder writes for a mask that stays the same.
static constexpr int kGeneratorVersion = 3;

const char *phaseName(Phase phase) {
  switch (phase) {
  case Phase::Forward:
    return "forward";
  case Phase::BackwardDq:
    return "backward_dq";
  case Phase::BackwardDkDv:
    return "backward_dkdv";
  case Phase::Decode:
    return "decode";
  case Phase::ForwardSm90:
    return "forward_sm90";
  }
  return "";
}

/// The kernels of a phase whose schedule stands in the IR.
static std::vector<attn::Kernel> kernelsOf(Phase phase) {
  switch (phase) {
  case Phase::Forward:
    return {attn::Kernel::Forward};
  case Phase::Decode:
    return {attn::Kernel::Decode};
  case Phase::BackwardDq:
    return {attn::Kernel::BackwardDq};
  case Phase::BackwardDkDv:
    return {attn::Kernel::BackwardDkDv};
  case Phase::ForwardSm90:
    return {};
  }
  return {};
}

static Result<void> checkSpec(const Mask &mask, const KernelSpec &spec) {
  if (spec.headsPerKeyHead < 1)
    return Error{fmt::format("a key head is shared by at least 1 query head, got {}", spec.headsPerKeyHead)};
  if (spec.phase == Phase::ForwardSm90 && mask.hasScore())
    return Error{fmt::format("the forward_sm90 kernel computes no scores, and mask {} has a score clause; use forward",
                             mask.name())};
  return {};
}

bool hasKernel(const Mask &mask, const KernelSpec &spec) {
  return spec.phase != Phase::ForwardSm90 || (!mask.hasScore() && forwardSm90Schedule(spec));
}

Result<std::string> cudaKey(const Mask &mask, const KernelSpec &spec) {
  if (Result<void> checked = checkSpec(mask, spec); !checked)
    return checked.error();
  std::vector<std::string> schedules;
  for (attn::Kernel kernel : kernelsOf(spec.phase)) {
    Result<attn::ScheduleAttr> schedule = tableSchedule(&maskContext(), kernel, spec);
    if (!schedule)
      return schedule.error();
    schedules.push_back(scheduleType(*schedule, spec.headDim));
  }
  if (spec.phase == Phase::ForwardSm90) {
    Result<Schedule> hopper = forwardSm90Schedule(spec);
    if (!hopper)
      return hopper.error();
    schedules.push_back(hopper->type);
  }
  // No length, offset or batch size: those are values of a launch.
  return cuda::structureKey(kGeneratorVersion,
                            fmt::format("mask {}; {}; {}; D {}; group {}; {}; schedules {}", mask.digest(),
                                        phaseName(spec.phase), cuda::deviceType(spec.dtype), spec.headDim,
                                        spec.headsPerKeyHead, spec.arch, fmt::join(schedules, " ")));
}

namespace {
/// Collects the entries of a file and their text.
struct EntryPrinter {
  const Mask &mask;
  const KernelSpec &spec;
  CudaKernel &kernel;

  void add(const std::string &suffix, const std::string &bounds, int threads, int sharedBytes, int tileQueries,
           int tileKeys, const std::string &call, const std::string &firstArgument = "") {
    const std::string name = mask.name() + suffix;
    kernel.source += fmt::format("extern \"C\" __global__ __launch_bounds__({})\n"
                                 "void {}({}const __grid_constant__ AttentionArgs args,\n"
                                 "    const __grid_constant__ Params<kParams> params) {{\n  {};\n}}\n",
                                 bounds, name, firstArgument, call);
    kernel.entries.push_back({name, threads, sharedBytes, tileQueries, tileKeys});
  }

  /// A kernel with a schedule, which the file calls `alias`.
  void scheduled(const std::string &suffix, const std::string &alias, attn::ScheduleAttr schedule,
                 const char *function) {
    const int shared = static_cast<int>(maskjit::sharedBytes(schedule, spec.headDim));
    kernel.source += fmt::format("\nusing {} = {};  // {} of {} bytes of shared memory\n", alias,
                                 scheduleType(schedule, spec.headDim), shared, sharedLimit(spec.arch));
    add(suffix, fmt::format("{0}::kThreads, {0}::kBlocks", alias), 32 * schedule.getWarps(), shared,
        schedule.getTileQueries(), schedule.getTileKeys(),
        fmt::format("{}<{}, {}, kGroup, Mask>(args, params.values)", function, alias, cuda::deviceType(spec.dtype)));
  }

  void hopper(const Schedule &schedule) {
    kernel.source += fmt::format("\nusing HopperSchedule = {};  // {} of {} bytes of shared memory\n", schedule.type,
                                 schedule.sharedBytes, sharedLimit(spec.arch));
    add("_fwd_sm90", "HopperSchedule::kThreads, 1", schedule.threads, schedule.sharedBytes, schedule.tileQueries,
        schedule.tileKeys,
        fmt::format("attention_forward_sm90<HopperSchedule, {}, kGroup, Mask>(maps, args, params.values)",
                    cuda::deviceType(spec.dtype)),
        "const __grid_constant__ Sm90Maps maps, ");
  }

  /// A kernel whose launch numbers stand in attention_args.h.
  void fixed(const std::string &suffix, const std::string &bounds, int threads, const std::string &call) {
    kernel.source += "\n";
    add(suffix, bounds, threads, 0, 0, 0, call);
  }
};
} // namespace

Result<CudaKernel> emitCuda(const Mask &mask, const KernelSpec &spec) {
  Result<std::string> key = cudaKey(mask, spec);
  if (!key)
    return key.error();
  Result<mlir::OwningOpRef<mlir::ModuleOp>> module = cuda::buildAttnModule(mask, spec);
  if (!module)
    return module.error();
  Result<cuda::MaskStruct> maskStruct = cuda::printMaskStruct(**module, mask.name());
  if (!maskStruct)
    return maskStruct.error();

  CudaKernel kernel;
  kernel.key = *key;
  kernel.options = cuda::compileOptions();
  kernel.usesHead = maskStruct->usesHead;
  kernel.source = fmt::format(
      "// {0}.{1}.cu: generated by maskjit {2} for {3}, {4}, head dim {5}, {6} query head{7} a key head.\n"
      "// Edit the .mask or compiler/device, not this file.\n"
      "#include \"{10}.cuh\"\nusing namespace maskjit::device;\n\n{8}\n"
      "constexpr int kParams = {9}, kGroup = {6};  // parameters of the mask, query heads that share a key head\n",
      mask.name(), phaseName(spec.phase), MASKJIT_VERSION, spec.arch, cuda::deviceType(spec.dtype), spec.headDim,
      spec.headsPerKeyHead, spec.headsPerKeyHead == 1 ? "" : "s", maskStruct->text, maskStruct->params,
      spec.phase == Phase::ForwardSm90 ? "attention/forward_sm90" : "attention/attention");

  const std::vector<attn::ScheduleAttr> schedules = cuda::schedulesOf(**module);
  EntryPrinter print{mask, spec, kernel};
  const std::string elementAndHeadDim = fmt::format("{}, {}", cuda::deviceType(spec.dtype), spec.headDim);
  switch (spec.phase) {
  case Phase::Forward:
    print.scheduled("_fwd", "Schedule", schedules[0], "attention_forward");
    break;
  case Phase::ForwardSm90:
    print.hopper(*forwardSm90Schedule(spec)); // cudaKey has refused what has none
    break;
  case Phase::Decode:
    print.scheduled("_decode", "Schedule", schedules[0], "attention_decode");
    print.fixed("_decode_merge", "kMergeThreads", device::kMergeThreads,
                fmt::format("attention_decode_merge<{}>(args)", elementAndHeadDim));
    break;
  case Phase::BackwardDq:
    print.fixed("_bwd_row_stats", "kRowStatsThreads", device::kRowStatsThreads,
                fmt::format("backward_row_stats<{}>(args)", elementAndHeadDim));
    print.fixed("_bwd_dsinks", "kDsinksThreads", device::kDsinksThreads, "backward_dsinks(args)");
    print.scheduled("_bwd_dq", "DqSchedule", schedules[0], "backward_dq");
    break;
  case Phase::BackwardDkDv: // the operation has both schedules
    print.scheduled("_bwd_dkdv", "DkDvSchedule", schedules[1], "backward_dkdv");
    break;
  }
  return kernel;
}

} // namespace maskjit
