// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "KernelFile.h"
#include <cstdlib>
#include <fmt/format.h>

namespace maskjit::test {

KernelFile kernelFile(const TestMask &mask, const KernelSpec &spec) {
  KernelFile file;
  file.headsPerKeyHead = spec.headsPerKeyHead;
  file.headDim = spec.headDim, file.bf16 = spec.dtype == DType::BF16;
  file.usesHead = mask.device.find("kUsesHead = true") != std::string::npos;
  const std::string element = spec.dtype == DType::BF16 ? "bf16" : "fp16";
  file.source = "#include \"attention/attention.cuh\"\nusing namespace maskjit::device;\n" + mask.device +
                fmt::format("constexpr int kParams = {}, kGroup = {};\n"
                            "#define ARGUMENTS const __grid_constant__ AttentionArgs args, const __grid_constant__ "
                            "Params<kParams> params\n",
                            mask.paramCount, spec.headsPerKeyHead);
  auto add = [&](Schedule &to, const char *name, const char *call, Result<Schedule> (*choose)(const KernelSpec &)) {
    const Result<Schedule> schedule = choose(spec);
    if (!schedule) {
      fmt::print(stderr, "error: {}\n", schedule.error().message);
      std::exit(1);
    }
    to = *schedule;
    file.source += fmt::format("using Schedule_{0} = {1};\n"
                               "extern \"C\" __global__ __launch_bounds__(Schedule_{0}::kThreads, "
                               "Schedule_{0}::kBlocks) void {0}(ARGUMENTS) {{\n"
                               "  {2}<Schedule_{0}, {3}, kGroup, Mask>(args, params.values);\n}}\n",
                               name, to.type, call, element);
  };
  add(file.forward, "forward", "attention_forward", forwardSchedule);
  add(file.decode, "decode", "attention_decode", decodeSchedule);
  add(file.dq, "dq", "backward_dq", backwardDqSchedule);
  add(file.dkdv, "dkdv", "backward_dkdv", backwardDkDvSchedule);
  if (Result<Schedule> sm90 = forwardSm90Schedule(spec); sm90 && !mask.score) {
    file.hasSm90 = true, file.forwardSm90 = *sm90;
    file.source = "#include \"attention/forward_sm90.cuh\"\n" + file.source +
                  fmt::format("using Sm90 = {};\nextern \"C\" __global__ __launch_bounds__(Sm90::kThreads, 1) void "
                              "forward_sm90(const __grid_constant__ Sm90Maps maps, ARGUMENTS) {{\n"
                              "  attention_forward_sm90<Sm90, {}, kGroup, Mask>(maps, args, params.values);\n}}\n",
                              sm90->type, element);
  }
  file.source += fmt::format("extern \"C\" __global__ void decode_merge(ARGUMENTS) {{\n"
                             "  attention_decode_merge<{0}, {1}>(args);\n}}\n"
                             "extern \"C\" __global__ void row_stats(ARGUMENTS) {{\n"
                             "  backward_row_stats<{0}, {1}>(args);\n}}\n"
                             "extern \"C\" __global__ void dsinks(ARGUMENTS) {{ backward_dsinks(args); }}\n",
                             element, spec.headDim);
  return file;
}

/// The launch of an entry without a schedule.
static Schedule threadsOnly(int threads) {
  Schedule schedule;
  schedule.threads = threads;
  return schedule;
}

void KernelLaunches::launch(const char *name, const Schedule &schedule, GpuModule::Grid grid,
                            device::AttentionArgs &args) const {
  std::vector<device::Param> values = params;
  module.launch(name, grid, schedule.threads, schedule.sharedBytes, {&args, values.data()});
}

void KernelLaunches::forward(device::AttentionArgs args) const {
  launch("forward", file.forward, {queryTiles(args, file.forward), unsigned(heads(args)), unsigned(args.batch)}, args);
}

void KernelLaunches::forwardSm90(device::AttentionArgs args) const {
  const int pack = device::sm90_pack(file.headsPerKeyHead, file.usesHead), tileK = file.forwardSm90.tileKeys;
  TensorMapData maps[] = {encodeTensorMap(sm90_query_map(args, args.q, file.headDim, pack), file.bf16),
                          encodeTensorMap(sm90_key_map(args, args.k, file.headDim, tileK), file.bf16),
                          encodeTensorMap(sm90_key_map(args, args.v, file.headDim, tileK), file.bf16),
                          encodeTensorMap(sm90_query_map(args, args.out, file.headDim, pack), file.bf16)};
  std::vector<device::Param> values = params;
  const int blocks = sm90_blocks(args, file.forwardSm90.tileQueries, pack, multiprocessors());
  module.launch("forward_sm90", {unsigned(blocks), 1, 1}, file.forwardSm90.threads, file.forwardSm90.sharedBytes,
                {&maps, &args, values.data()});
}

void KernelLaunches::decode(device::AttentionArgs args) const {
  const unsigned tiles = queryTiles(args, file.decode), rows = unsigned(args.batch * args.heads_q * args.len_q);
  launch("decode", file.decode, {unsigned(args.splits), heads(args) * tiles, unsigned(args.batch)}, args);
  if (args.splits > 1)
    launch("decode_merge", threadsOnly(device::kMergeThreads),
           {(rows + device::kMergeRows - 1) / device::kMergeRows, 1, 1}, args);
}

void KernelLaunches::backward(device::AttentionArgs args) const {
  const unsigned batch = unsigned(args.batch);
  launch("row_stats", threadsOnly(device::kRowStatsThreads),
         {unsigned(device::row_stats_blocks(args.len_q)), unsigned(args.heads_q), batch}, args);
  if (args.dsinks)
    launch("dsinks", threadsOnly(device::kDsinksThreads), {unsigned(args.heads_q), 1, 1}, args);
  launch("dq", file.dq, {queryTiles(args, file.dq), unsigned(heads(args)), batch}, args);
  const unsigned keyTiles = unsigned((args.len_k + file.dkdv.tileKeys - 1) / file.dkdv.tileKeys);
  launch("dkdv", file.dkdv, {keyTiles, unsigned(args.heads_kv), batch}, args);
}

} // namespace maskjit::test
