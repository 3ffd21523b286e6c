// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention on CUDA: fills the argument block of the device headers and launches. Reads no device memory and never
// waits, so that a captured graph follows new values behind the same pointers.
#include "compiler/device/attention_args.h"
#include "runtime/attention/Attention.h"
#include "runtime/cache/CompileAhead.h"
#include "runtime/launch/LoadedKernel.h"
#include "runtime/launch/TensorMap.h"
#include <algorithm>
#include <fmt/format.h>

namespace maskjit {
namespace {

constexpr int64_t kDecodeRows = 64;        // (position, head) pairs a key head; more are cheaper without splits
constexpr int64_t kBlocksPerProcessor = 2; // decode fills the GPU about this often
constexpr int64_t kLeastSplitKeys = 256;   // below it merging costs more than the keys
constexpr int64_t kMostSplits = 128;       // a merge block reads them one by one
constexpr int64_t kMostElements = int64_t(1) << 31;

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// One call's memory, argument block and kernel.
struct Call {
  cuda::Device device;
  KernelSpec spec;
  std::shared_ptr<const cuda::LoadedKernel> kernel;
  device::AttentionArgs args{};
  std::vector<device::Param> params;
  const CudaContext &context;

  /// Sets `kernel`, compiling it if it is the structure's first.
  Result<void> find(const Mask &mask, Phase phase) {
    spec.phase = phase;
    Result<std::shared_ptr<const cuda::LoadedKernel>> found = cuda::LoadedKernel::find(mask, spec, device);
    if (!found)
      return found.error();
    kernel = *found;
    return {};
  }

  Result<void> launch(size_t entry, cuda::Grid grid) {
    void *arguments[] = {&args, params.data()};
    return kernel->launch(entry, grid, reinterpret_cast<cuda::Stream>(context.stream), arguments);
  }

  Result<float *> allocate(int64_t floats) {
    void *memory =
        context.allocate ? context.allocate(static_cast<size_t>(floats) * sizeof(float), context.user) : nullptr;
    if (!memory)
      return Error{fmt::format("attention on CUDA needs {} bytes of workspace, and CudaContext::allocate gave none",
                               static_cast<size_t>(floats) * sizeof(float))};
    return static_cast<float *>(memory);
  }
};

device::Tensor tensor(const TensorView &view) { return {view.data, view.batchStride, view.headStride, view.seqStride}; }

/// Checks, and the part of the argument block that all phases share. The kernel is still to be found.
Result<Call> prepare(const Mask &mask, const AttentionArgs &args, bool backward, const CudaContext &context) {
  if (Result<void> fits = checkArgs(mask, args, backward); !fits)
    return fits.error();
  const int64_t group = args.headsQ / std::max<int64_t>(args.headsKv, 1);
  if (args.lenQ * group >= kMostElements)
    return Error{
        fmt::format("attention on CUDA takes fewer than 2^31 rows a key head, got {} queries x {} heads; split "
                    "the queries",
                    args.lenQ, group)};
  if (!(args.scale > 0))
    return Error{fmt::format("attention on CUDA takes a scale above 0, got {}; negate q instead", args.scale)};
  Result<cuda::Device> device = cuda::Device::current();
  if (!device)
    return device.error();
  Call call{*device, {}, nullptr, {}, {}, context};
  call.spec.dtype = args.dtype;
  call.spec.headDim = static_cast<int>(args.headDim);
  call.spec.headsPerKeyHead = static_cast<int>(group);
  device::AttentionArgs &a = call.args;
  a.q = tensor(args.q);
  a.k = tensor(args.k);
  a.v = tensor(args.v);
  a.out = tensor(args.out);
  a.lse = args.lse;
  a.sinks = args.sinks;
  a.kv_len = args.kvLen;
  a.page_table = args.pages.table;
  a.page_table_stride = args.pages.tableStride;
  for (a.page_shift = 0; args.pages.table && (int64_t(1) << a.page_shift) < args.pages.pageSize;)
    ++a.page_shift;
  a.batch = static_cast<int>(args.batch);
  a.heads_q = static_cast<int>(args.headsQ);
  a.heads_kv = static_cast<int>(args.headsKv);
  a.len_q = static_cast<int>(args.lenQ);
  a.len_k = static_cast<int>(args.lenK);
  a.scale = args.scale;
  for (const ParamValues &values : args.params)
    call.params.push_back({values.data, values.batchStride, static_cast<int>(values.size)});
  if (call.params.empty())
    call.params.emplace_back(); // a kernel argument is never empty
  return call;
}

/// Blocks of a kernel that works by query tiles. Heads that share a key head share its blocks, unless the mask tells
/// them apart.
struct QueryBlocks {
  int64_t rowTiles, heads;
  QueryBlocks(const Call &call, const AttentionArgs &args, size_t entry)
      : heads(call.kernel->usesHead() ? args.headsQ : args.headsKv) {
    const int64_t rows = heads > 0 ? args.lenQ * args.headsQ / heads : 0;
    rowTiles = ceilDiv(rows, call.kernel->entry(entry).tileQueries);
  }
};

/// Enough parts to occupy the GPU, none too small to be worth its merge. Depends on capacities, never on lengths.
int64_t splitsFor(const Call &call, const AttentionArgs &args, const QueryBlocks &blocks) {
  const int64_t busy = std::max<int64_t>(blocks.rowTiles * blocks.heads * args.batch, 1);
  const int64_t wanted = ceilDiv(kBlocksPerProcessor * call.device.multiprocessors, busy);
  return std::clamp<int64_t>(std::min(wanted, args.lenK / kLeastSplitKeys), 1, kMostSplits);
}

Result<void> decode(Call &call, const AttentionArgs &args) {
  const QueryBlocks blocks(call, args, 0);
  const int64_t rows = args.batch * args.headsQ * args.lenQ, splits = splitsFor(call, args, blocks);
  call.args.splits = static_cast<int>(splits);
  if (splits > 1) {
    Result<float *> memory = call.allocate(rows * splits * (args.headDim + 1));
    if (!memory)
      return memory.error();
    call.args.split_out = *memory;
    call.args.split_lse = *memory + rows * splits * args.headDim;
  }
  if (Result<void> done = call.launch(0, {splits, blocks.heads * blocks.rowTiles, args.batch}); !done)
    return done;
  return splits > 1 ? call.launch(1, {ceilDiv(rows, device::kMergeRows), 1, 1}) : Result<void>();
}

/// Hopper's own kernel, whose tensors the copy engine reads and writes.
Result<void> forwardSm90(Call &call, const AttentionArgs &args) {
  const device::AttentionArgs &a = call.args;
  const int headDim = static_cast<int>(args.headDim), group = a.heads_q / a.heads_kv;
  const int pack = device::sm90_pack(group, call.kernel->usesHead()), tileK = call.kernel->entry(0).tileKeys;
  cuda::TensorMap maps[4];
  const device::TensorMapShape shapes[4] = {sm90_query_map(a, a.q, headDim, pack), sm90_key_map(a, a.k, headDim, tileK),
                                            sm90_key_map(a, a.v, headDim, tileK),
                                            sm90_query_map(a, a.out, headDim, pack)};
  for (int i = 0; i < 4; ++i) {
    Result<cuda::TensorMap> map = cuda::encodeTensorMap(shapes[i], args.dtype);
    if (!map)
      return map.error();
    maps[i] = *map;
  }
  void *arguments[] = {maps, &call.args, call.params.data()};
  const int blocks = sm90_blocks(a, call.kernel->entry(0).tileQueries, pack, call.device.multiprocessors);
  return call.kernel->launch(0, {blocks, 1, 1}, reinterpret_cast<cuda::Stream>(call.context.stream), arguments);
}

/// Sets the call's kernel to that of dq and returns that of dk and dv. The first of a structure compiles both at the
/// same time.
Result<std::shared_ptr<const cuda::LoadedKernel>> findBackward(Call &call, const Mask &mask) {
  Result<cuda::Target> target = cuda::targetOf(call.device.major, call.device.minor);
  if (!target)
    return target.error();
  KernelSpec spec = call.spec;
  spec.arch = target->arch;
  spec.phase = Phase::BackwardDkDv;
  std::optional<CompileAhead> other;
  if (!KernelCache::ofProcess().isInMemory(mask, spec, target->kind))
    other.emplace(std::vector<CompileAhead::Job>{{mask, spec, target->kind}}, 1);
  if (Result<void> found = call.find(mask, Phase::BackwardDq); !found)
    return found.error();
  return cuda::LoadedKernel::find(mask, spec, call.device);
}

} // namespace

Result<void> attentionForwardCuda(const Mask &mask, const AttentionArgs &args, const CudaContext &context) {
  const int64_t group = args.headsKv > 0 ? args.headsQ / args.headsKv : 0;
  const bool few = args.lenQ == 1 || args.lenQ * group <= kDecodeRows;
  Result<Call> call = prepare(mask, args, /*backward=*/false, context);
  if (!call)
    return call.error();
  Result<cuda::Target> target = cuda::targetOf(call->device.major, call->device.minor);
  if (!target)
    return target.error();
  call->spec.arch = target->arch;
  call->spec.phase = Phase::ForwardSm90;
  const bool sm90 = !few && hasKernel(mask, call->spec) && sm90_serves(call->args);
  const Phase phase = few ? Phase::Decode : sm90 ? Phase::ForwardSm90 : Phase::Forward;
  if (Result<void> found = call->find(mask, phase); !found)
    return found;
  if (args.batch * args.headsQ * args.lenQ == 0)
    return {};
  if (few)
    return decode(*call, args);
  if (sm90)
    return forwardSm90(*call, args);
  const QueryBlocks blocks(*call, args, 0);
  return call->launch(0, {blocks.rowTiles, blocks.heads, args.batch});
}

Result<void> attentionBackwardCuda(const Mask &mask, const AttentionArgs &args, const CudaContext &context) {
  enum Entry { RowStats, Dsinks, Dq }; // as emitCuda orders them
  Result<Call> call = prepare(mask, args, /*backward=*/true, context);
  if (!call)
    return call.error();
  Result<std::shared_ptr<const cuda::LoadedKernel>> dkdv = findBackward(*call, mask);
  if (!dkdv)
    return dkdv.error();
  device::AttentionArgs &a = call->args;
  a.dout = tensor(args.dout);
  a.dq = tensor(args.dq);
  a.dk = tensor(args.dk);
  a.dv = tensor(args.dv);
  a.dsinks = args.dsinks;
  const int64_t rows = args.batch * args.headsQ * args.lenQ, statBlocks = device::row_stats_blocks(a.len_q);
  const int64_t partials = args.dsinks ? args.headsQ * args.batch * statBlocks : 0;
  if (2 * rows + partials > 0) {
    Result<float *> memory = call->allocate(2 * rows + partials);
    if (!memory)
      return memory.error();
    a.row_stats = *memory;
    a.dsinks_partial = *memory + 2 * rows;
  }
  if (Result<void> done = call->launch(RowStats, {statBlocks, args.headsQ, args.batch}); !done)
    return done;
  if (args.dsinks)
    if (Result<void> done = call->launch(Dsinks, {args.headsQ, 1, 1}); !done)
      return done;
  const QueryBlocks blocks(*call, args, Dq);
  if (Result<void> done = call->launch(Dq, {blocks.rowTiles, blocks.heads, args.batch}); !done)
    return done;
  call->kernel = *dkdv;
  return call->launch(0, {ceilDiv(args.lenK, call->kernel->entry(0).tileKeys), args.headsKv, args.batch});
}

} // namespace maskjit
