// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A file of attention kernels as the compiler writes them, and their launches.
#pragma once
#include "Gpu.h"
#include "TestMasks.h"
#include "compiler/device/ScheduleTable.h"
#include "compiler/device/attention_args.h"

namespace maskjit::test {

/// The kernels of one structure: forward, decode with its merge, and the four of the backward pass.
struct KernelFile {
  std::string source;
  Schedule forward, decode, dq, dkdv;
  bool usesHead = false, bf16 = true;
  int headsPerKeyHead = 1, headDim = 64;
  bool hasSm90 = false; // Hopper's forward kernel is in the file too
  Schedule forwardSm90;
};
KernelFile kernelFile(const TestMask &mask, const KernelSpec &spec);

/// Launches on the default stream. `args` holds device addresses; `params` as many as the mask has.
struct KernelLaunches {
  const KernelFile &file;
  const GpuModule &module;
  std::vector<device::Param> params;

  void forward(device::AttentionArgs args) const;
  void forwardSm90(device::AttentionArgs args) const; // if file.hasSm90 and sm90_serves(args)
  void decode(device::AttentionArgs args) const;      // args.splits of them
  void backward(device::AttentionArgs args) const;

private:
  void launch(const char *name, const Schedule &schedule, GpuModule::Grid grid, device::AttentionArgs &args) const;
  int heads(const device::AttentionArgs &args) const { return file.usesHead ? args.heads_q : args.heads_kv; }
  unsigned queryTiles(const device::AttentionArgs &args, const Schedule &schedule) const {
    const int rows = args.len_q * (args.heads_q / heads(args));
    return unsigned((rows + schedule.tileQueries - 1) / schedule.tileQueries);
  }
};

} // namespace maskjit::test
