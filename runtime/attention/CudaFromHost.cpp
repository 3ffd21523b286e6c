// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Copies every operand of a call to the GPU, and what the call writes back.
#include "runtime/attention/CudaFromHost.h"
#include "runtime/launch/DeviceMemory.h"
#include <algorithm>

namespace maskjit {
namespace {

/// The operands of one call on the device. The first failure stays and stops what follows.
class Operands {
public:
  Operands(const AttentionArgs &host, size_t elementBytes) : host(host), elementBytes(elementBytes) {}

  cuda::DeviceMemory memory;
  Result<void> outcome;

  template <class T> T *in(const T *data, int64_t count) {
    return static_cast<T *>(copy(data, static_cast<size_t>(count) * sizeof(T), nullptr));
  }
  template <class T> T *out(T *data, int64_t count) {
    return static_cast<T *>(copy(data, static_cast<size_t>(count) * sizeof(T), data));
  }
  /// A [blocks, heads, rows, D] tensor with its strides; what lies between its elements is copied with it.
  TensorView tensor(TensorView view, int64_t blocks, int64_t heads, int64_t rows, bool written) {
    const bool empty = blocks <= 0 || heads <= 0 || rows <= 0;
    const int64_t elements = empty ? 0
                                   : (blocks - 1) * view.batchStride + (heads - 1) * view.headStride +
                                         (rows - 1) * view.seqStride + host.headDim;
    view.data = copy(view.data, static_cast<size_t>(elements) * elementBytes, written ? view.data : nullptr);
    return view;
  }

  Result<void> collect() {
    if (auto done = memory.synchronize(); !done)
      return done;
    for (const Written &each : written)
      if (auto done = memory.download(each.host, each.device, each.bytes); !done)
        return done;
    return {};
  }

private:
  struct Written {
    void *host;
    const void *device;
    size_t bytes;
  };

  void *copy(const void *data, size_t bytes, void *back) {
    if (!data || !outcome)
      return nullptr;
    Result<void *> device = memory.upload(data, bytes);
    if (!device) {
      outcome = device.error();
      return nullptr;
    }
    if (back)
      written.push_back({back, *device, bytes});
    return *device;
  }

  const AttentionArgs &host;
  size_t elementBytes;
  std::vector<Written> written;
};

/// Pages that the table names.
int64_t pageCount(const AttentionArgs &args) {
  int64_t most = -1;
  const int64_t perSequence = args.pages.pageSize > 0 ? (args.lenK + args.pages.pageSize - 1) / args.pages.pageSize : 0;
  for (int64_t b = 0; b < args.batch; ++b)
    for (int64_t i = 0; i < perSequence; ++i)
      most = std::max<int64_t>(most, args.pages.table[b * args.pages.tableStride + i]);
  return most + 1;
}

Result<void> run(const Mask &mask, const AttentionArgs &host, bool backward, int device) {
  if (auto fits = checkArgs(mask, host, backward); !fits)
    return fits;
  if (auto opened = cuda::useDevice(device); !opened)
    return opened;
  Operands operands(host, host.dtype == DType::F32 ? 4 : 2);
  AttentionArgs args = host;
  const bool paged = host.pages.table;
  const int64_t keyBlocks = paged ? pageCount(host) : host.batch, keyRows = paged ? host.pages.pageSize : host.lenK;
  auto queries = [&](TensorView view, bool written) {
    return operands.tensor(view, host.batch, host.headsQ, host.lenQ, written);
  };
  auto keys = [&](TensorView view, bool written) {
    return operands.tensor(view, keyBlocks, host.headsKv, keyRows, written);
  };
  args.q = queries(host.q, false);
  args.k = keys(host.k, false);
  args.v = keys(host.v, false);
  args.out = queries(host.out, !backward);
  const int64_t rows = host.batch * host.headsQ * host.lenQ;
  args.lse = backward ? operands.in(host.lse, rows) : operands.out(host.lse, rows);
  args.sinks = operands.in(host.sinks, host.headsQ);
  args.kvLen = operands.in(host.kvLen, host.batch);
  if (paged) {
    const int64_t perSequence = (host.lenK + host.pages.pageSize - 1) / host.pages.pageSize;
    args.pages.table = operands.in(host.pages.table, (host.batch - 1) * host.pages.tableStride + perSequence);
  }
  for (ParamValues &values : args.params) // int or float: 4 bytes
    values.data = operands.in(static_cast<const int32_t *>(values.data),
                              std::max<int64_t>(host.batch - 1, 0) * values.batchStride + values.size);
  if (backward) {
    args.dout = queries(host.dout, false);
    args.dq = queries(host.dq, true);
    args.dk = keys(host.dk, true);
    args.dv = keys(host.dv, true);
    args.dsinks = operands.out(host.dsinks, host.headsQ);
  }
  if (!operands.outcome)
    return operands.outcome;

  CudaContext context;
  context.user = &operands.memory;
  context.allocate = [](size_t bytes, void *user) {
    Result<void *> block = static_cast<cuda::DeviceMemory *>(user)->allocate(bytes);
    return block ? *block : nullptr;
  };
  if (auto launched = backward ? attentionBackwardCuda(mask, args, context) : attentionForwardCuda(mask, args, context);
      !launched)
    return launched;
  return operands.collect();
}

} // namespace

Result<void> attentionForwardCudaFromHost(const Mask &mask, const AttentionArgs &args, int device) {
  return run(mask, args, false, device);
}
Result<void> attentionBackwardCudaFromHost(const Mask &mask, const AttentionArgs &args, int device) {
  return run(mask, args, true, device);
}

} // namespace maskjit
