// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention over a mask on raw memory, CPU or CUDA: what the operators, `maskjit run` and benchmarks call.
#pragma once
#include "compiler/Compiler.h"

namespace maskjit {

/// A [B, H, S, D] tensor: pointer and strides in elements; D has unit stride. Null data: absent.
struct TensorView {
  void *data = nullptr;
  int64_t batchStride = 0, headStride = 0, seqStride = 0;
};

/// Where keys lie. Without pages: k, v [B, Hkv, Sk, D]. With pages (table not null): k, v [pages, Hkv, pageSize, D]
/// (batchStride steps over pages) and position p of sequence b lies in page table[b * tableStride + p / pageSize].
struct Pages {
  const int32_t *table = nullptr;
  int64_t tableStride = 0;
  int64_t pageSize = 0; // a power of two
};

/// One call. Pointers are host memory for the CPU and device memory for CUDA, the parameters' values too.
struct AttentionArgs {
  DType dtype = DType::F32; // of q, k, v, out, dout, dq, dk, dv: F32 on the CPU only
  int64_t batch = 0, headsQ = 0, headsKv = 0, lenQ = 0, lenK = 0, headDim = 0;
  float scale = 0;
  TensorView q, k, v, out;          // q, out [B, Hq, Sq, D]
  float *lse = nullptr;             // [B, Hq, Sq] contiguous, nats, sink included; -inf or the sink for a row without keys
  const float *sinks = nullptr;     // [Hq], nats, not scaled; null: none
  const int32_t *kvLen = nullptr;   // [B]: keys at and after it do not exist; null: lenK for all
  Pages pages;
  std::vector<ParamValues> params;  // as mask.params(); all of them, defaults filled in
  // backward: reads q, k, v, out, lse, dout; writes the gradients. No pages.
  TensorView dout, dq, dk, dv;
  float *dsinks = nullptr;          // [Hq]; null: not wanted
};

/// Runs on `threads` threads of the process-wide pool (0: all) and returns when done.
Result<void> attentionForwardCpu(const Mask &mask, const AttentionArgs &args, int threads = 0);
Result<void> attentionBackwardCpu(const Mask &mask, const AttentionArgs &args, int threads = 0);

/// A CUDA stream and where temporary device memory comes from. `allocate` returns memory that may be reused, in stream
/// order, once the call has returned (as LibTorch's caching allocator does).
struct CudaContext {
  void *stream = nullptr; // CUstream
  void *(*allocate)(size_t bytes, void *user) = nullptr;
  void *user = nullptr;
};
/// Launch on the stream of the calling thread's current CUDA context and return at once; the first call of a
/// structure compiles or loads its kernel. Few queries (see Phase::Decode) take the split-key kernel by themselves.
Result<void> attentionForwardCuda(const Mask &mask, const AttentionArgs &args, const CudaContext &context);
Result<void> attentionBackwardCuda(const Mask &mask, const AttentionArgs &args, const CudaContext &context);

/// Checks shapes, dtype, head dim and parameters; the calls above do it themselves.
Result<void> checkArgs(const Mask &mask, const AttentionArgs &args, bool backward);

} // namespace maskjit
