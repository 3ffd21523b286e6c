// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/device/ScheduleTable.h"
#include "compiler/device/schedules.h"
#include <algorithm>
#include <fmt/format.h>

namespace maskjit {

namespace {
using namespace device;

template <class S> Schedule describe(std::string numbers) {
  static_assert(S::kSharedBytes <= S::Arch::kSharedLimit, "does not fit on every architecture of the family");
  return {fmt::format("{}<{}, {}>", S::kName, S::Arch::kName, numbers),
          S::Arch::kName,
          S::kStages,
          S::kWarps,
          S::kThreads,
          S::kSharedBytes,
          S::kTileQ,
          S::kTileK};
}
template <class Arch, int kHeadDim, int kTileQ, int kTileK, int kStages, int kWarps,
          template <class, int, int, int, int, int> class Phase>
Schedule tiled() {
  return describe<Phase<Arch, kHeadDim, kTileQ, kTileK, kStages, kWarps>>(
      fmt::format("{}, {}, {}, {}, {}", kHeadDim, kTileQ, kTileK, kStages, kWarps));
}
template <class Arch, int kHeadDim, int kTileK, int kStages, int kWarps> Schedule decode() {
  return describe<Decode<Arch, kHeadDim, kTileK, kStages, kWarps>>(
      fmt::format("{}, {}, {}, {}", kHeadDim, kTileK, kStages, kWarps));
}

template <class Arch, int kHeadDim, int kTileK, int kStages> Schedule decodeShared() {
  return describe<DecodeShared<Arch, kHeadDim, kTileK, kStages>>(fmt::format("{}, {}, {}", kHeadDim, kTileK, kStages));
}

/// One row a head dim: the schedules of the four kernels.
struct Row {
  int headDim;
  Schedule forward, decode, dq, dkdv;
};

const std::vector<Row> &table(bool turing) {
  static const std::vector<Row> sm80 = {
      {32, tiled<Sm80, 32, 128, 32, 2, 4, Forward>(), decode<Sm80, 32, 16, 4, 4>(),
       tiled<Sm80, 32, 128, 32, 2, 4, BackwardDq>(), tiled<Sm80, 32, 32, 64, 2, 4, BackwardDkDv>()},
      {64, tiled<Sm80, 64, 128, 32, 2, 4, Forward>(), decode<Sm80, 64, 16, 3, 4>(),
       tiled<Sm80, 64, 128, 32, 2, 4, BackwardDq>(), tiled<Sm80, 64, 64, 64, 2, 4, BackwardDkDv>()},
      {96, tiled<Sm80, 96, 128, 32, 2, 4, Forward>(), decode<Sm80, 96, 16, 3, 4>(),
       tiled<Sm80, 96, 64, 64, 1, 4, BackwardDq>(), tiled<Sm80, 96, 64, 64, 2, 4, BackwardDkDv>()},
      {128, tiled<Sm80, 128, 128, 32, 2, 4, Forward>(), decode<Sm80, 128, 16, 2, 4>(),
       tiled<Sm80, 128, 64, 32, 2, 4, BackwardDq>(), tiled<Sm80, 128, 32, 64, 2, 4, BackwardDkDv>()},
      {256, tiled<Sm80, 256, 64, 32, 1, 4, Forward>(), decode<Sm80, 256, 16, 2, 2>(),
       tiled<Sm80, 256, 64, 32, 1, 4, BackwardDq>(), tiled<Sm80, 256, 16, 64, 1, 8, BackwardDkDv>()},
  };
  static const std::vector<Row> sm75 = {
      {32, tiled<Sm75, 32, 64, 64, 1, 4, Forward>(), decode<Sm75, 32, 16, 1, 4>(),
       tiled<Sm75, 32, 64, 64, 1, 4, BackwardDq>(), tiled<Sm75, 32, 64, 64, 1, 4, BackwardDkDv>()},
      {64, tiled<Sm75, 64, 64, 64, 1, 4, Forward>(), decode<Sm75, 64, 16, 1, 4>(),
       tiled<Sm75, 64, 64, 64, 1, 4, BackwardDq>(), tiled<Sm75, 64, 64, 64, 1, 4, BackwardDkDv>()},
      {96, tiled<Sm75, 96, 64, 64, 1, 4, Forward>(), decode<Sm75, 96, 16, 1, 4>(),
       tiled<Sm75, 96, 64, 64, 1, 4, BackwardDq>(), tiled<Sm75, 96, 32, 64, 1, 4, BackwardDkDv>()},
      {128, tiled<Sm75, 128, 64, 64, 1, 4, Forward>(), decode<Sm75, 128, 16, 1, 4>(),
       tiled<Sm75, 128, 64, 32, 1, 4, BackwardDq>(), tiled<Sm75, 128, 16, 64, 1, 4, BackwardDkDv>()},
      {256, tiled<Sm75, 256, 64, 32, 1, 4, Forward>(), decode<Sm75, 256, 16, 1, 2>(),
       tiled<Sm75, 256, 32, 32, 1, 2, BackwardDq>(), tiled<Sm75, 256, 16, 32, 1, 4, BackwardDkDv>()},
  };
  return turing ? sm75 : sm80;
}

Result<Schedule> choose(const KernelSpec &spec, Schedule Row::*phase) {
  const std::vector<std::string> &known = architectures();
  if (std::find(known.begin(), known.end(), spec.arch) == known.end())
    return Error{
        fmt::format("no kernels for architecture '{}'; there are kernels for {}", spec.arch, fmt::join(known, ", "))};
  if (spec.dtype == DType::F32)
    return Error{"attention on CUDA takes fp16 or bf16, got fp32; convert q, k and v, or use the CPU target"};
  const bool turing = spec.arch == "sm_75";
  if (turing && spec.dtype == DType::BF16)
    return Error{"sm_75 has no bf16 tensor cores; convert q, k and v to fp16"};
  for (const Row &row : table(turing))
    if (row.headDim == spec.headDim)
      return row.*phase;
  return Error{
      fmt::format("head dim {} is not supported; pad it with zeros to the next of 32, 64, 96, 128, 256 and pass "
                  "the scale of the original",
                  spec.headDim)};
}
} // namespace

Result<Schedule> decodeSharedSchedule(const KernelSpec &spec) {
  if (Result<Schedule> known = decodeSchedule(spec); !known)
    return known.error();
  const bool turing = spec.arch == "sm_75";
  switch (spec.headDim) {
  case 32:
    return turing ? decodeShared<Sm75, 32, 64, 1>() : decodeShared<Sm80, 32, 64, 2>();
  case 64:
    return turing ? decodeShared<Sm75, 64, 64, 1>() : decodeShared<Sm80, 64, 64, 2>();
  case 96:
    return turing ? decodeShared<Sm75, 96, 32, 1>() : decodeShared<Sm80, 96, 32, 2>();
  case 128:
    return turing ? decodeShared<Sm75, 128, 32, 1>() : decodeShared<Sm80, 128, 32, 2>();
  }
  return Error{fmt::format("sequences attend a prefix together with head dim 32, 64, 96 or 128, not {}", spec.headDim)};
}

Result<Schedule> forwardSchedule(const KernelSpec &spec) { return choose(spec, &Row::forward); }
Result<Schedule> decodeSchedule(const KernelSpec &spec) { return choose(spec, &Row::decode); }
Result<Schedule> backwardDqSchedule(const KernelSpec &spec) { return choose(spec, &Row::dq); }
Result<Schedule> backwardDkDvSchedule(const KernelSpec &spec) { return choose(spec, &Row::dkdv); }

Result<Schedule> forwardSm90Schedule(const KernelSpec &spec) {
  auto describeSm90 = [](auto schedule, const char *numbers) {
    using S = decltype(schedule);
    return Schedule{numbers,     "Sm90",          S::kStages, S::kConsumers * 4 + 4,
                    S::kThreads, S::kSharedBytes, S::kTileQ,  S::kTileK};
  };
  if (spec.arch != "sm_90a" || spec.dtype == DType::F32 || (spec.headDim != 64 && spec.headDim != 128))
    return Error{
        fmt::format("the wgmma kernel serves bf16 and fp16 with head dim 64 or 128 on sm_90a, not head dim {} on "
                    "{}; use forward",
                    spec.headDim, spec.arch)};
  // Turns of the warpgroups pay where exponentials take as long as products, which is at head dim 64.
  if (spec.headDim == 64)
    return describeSm90(ForwardSm90<64, 128, 3, 2, 2, kOverlap | kPingPong | kLazyRelease>{},
                        "ForwardSm90<64, 128, 3, 2, 2, kOverlap | kPingPong | kLazyRelease>");
  return describeSm90(ForwardSm90<128, 128, 2, 2, 2, kOverlap | kLazyRelease>{},
                      "ForwardSm90<128, 128, 2, 2, 2, kOverlap | kLazyRelease>");
}

} // namespace maskjit
