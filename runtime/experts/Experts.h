// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The experts of a layer on CUDA with their weights as they are held, on raw memory: what operators, steps and
// benchmarks call.
#pragma once
#include "compiler/Compiler.h"
#include "runtime/cache/KernelCache.h"

namespace maskjit {

/// One matrix an expert, as checkpoints store it: in MXFP4, value = E2M1 nibble * 2^(scale - 127), the low nibble
/// first, scale bytes at most 128; or 16-bit numbers of the activations' dtype; or in NF4, each quantized by itself as
/// bitsandbytes does, value = table[nibble] * absmax, the high nibble first. Pointers are multiples of 16 bytes.
struct ExpertsView {
  const void *weights = nullptr; // u8 [experts, rows, columns / 32, 16]; dense: [experts, columns, rows]; NF4: u8
                                 // [experts, rows, columns / 2]
  const void *scales = nullptr;  // u8 [experts, rows, columns / 32]; dense: null; NF4: absmax [experts, rows, columns /
                                 // 64], fp32, or u8 where it is quantized itself
  const void *bias = nullptr;    // [experts, rows] of the activations' dtype
  // ---- NF4, fp32 ----
  const void *table = nullptr;                                 // [16]
  const void *nestedTable = nullptr;                           // [256]; null: absmax is fp32
  const void *nestedAbsmax = nullptr, *nestedOffset = nullptr; // [experts, blocks / 256 rounded up], [experts]
};

/// A low-rank adapter of a matrix: W + b a for each expert, both of the activations' dtype, the adapter's scale in b.
struct ExpertsAdapterView {
  const void *a = nullptr; // [experts, rank, columns]; null: none
  const void *b = nullptr; // [experts, rows, rank]
};

/// One call on device memory: out (+)= sum over the chosen experts of score * down(swiglu(gate_up(x))).
struct ExpertsCall {
  DType dtype = DType::BF16; // of x and the biases
  WeightFormat format = WeightFormat::Mxfp4;
  int64_t tokens = 0, hidden = 0, intermediate = 0, experts = 0, expertsPerToken = 0;
  const void *x = nullptr;         // [tokens, hidden], contiguous, a multiple of 16 bytes
  const int32_t *chosen = nullptr; // [tokens, expertsPerToken], distinct within a token; below 0: nothing
  const float *scores = nullptr;   // as `chosen`
  ExpertsView gateUp, down;        // 2 * intermediate rows (gate even, up odd) of hidden; hidden rows of intermediate
  float *out = nullptr;            // [tokens, hidden] fp32, contiguous
  bool accumulate = false;         // add to what is in `out`, a residual stream
  float alpha = 1.702f, limit = 7;
  int64_t adapterRank = 0; // a multiple of 16; 0: no adapters
  ExpertsAdapterView gateUpAdapter, downAdapter;
  bool dependent = false; // the kernel before it on the stream lets this one start early (see LoadedKernel::launch)

  /// expertsWorkspace(call) bytes; free again, in stream order, after the call. With adapters it belongs to calls of
  /// this structure alone, one after the other, and is zero before the first.
  void *workspace = nullptr;
  /// expertsBarrierBytes(call) of device memory, zero before their first use and left ready by every call. Calls of one
  /// stream share them; MXFP4 needs two words.
  uint32_t *barrier = nullptr;
};

/// Bytes of workspace on the device that is current. Errors as expertsForwardCuda's.
Result<int64_t> expertsWorkspace(const ExpertsCall &call);

/// Bytes of its barrier on that device.
Result<int64_t> expertsBarrierBytes(const ExpertsCall &call);

/// Launches on `stream` of the current context and returns at once; the number of launches and their grids depend on
/// `tokens` alone, never on the routing, so that a captured graph follows new values behind the same pointers. The
/// first call of a structure compiles or loads its kernel. Weights that are dense or in NF4 are read anew for every 8
/// tokens. Errors: sizes that no kernel takes, more experts than 128, such weights on a GPU with few multiprocessors.
Result<void> expertsForwardCuda(const ExpertsCall &call, void *stream);

/// Compiles or loads the kernels of such a call; afterwards the call itself may be captured into a graph.
Result<void> loadExperts(const ExpertsCall &call);

/// One product of training on device memory: y[p] = matrix of expert chosen[p] times x[p / perRow], plus its bias.
/// The gradient of its input: y[p] = x[p / perRow] times that matrix, the sum running over its rows; no bias.
struct ExpertsLinearCall {
  DType dtype = DType::BF16; // of x, y and the bias
  int64_t pairs = 0, perRow = 1, experts = 0;
  int64_t outputs = 0, inputs = 0; // rows and columns of each matrix
  const void *x = nullptr;         // [pairs / perRow, inputs]; the gradient's: [.., outputs]; a multiple of 16 bytes
  ExpertsView matrix;              // in MXFP4; bias null: none
  const int32_t *chosen = nullptr; // [pairs]; below 0: y[p] is not written
  void *y = nullptr;               // [pairs, outputs]; the gradient's: [pairs, inputs]
  void *workspace = nullptr;       // as ExpertsCall's, of expertsLinearWorkspace(call, gradient) bytes
};
Result<int64_t> expertsLinearWorkspace(const ExpertsLinearCall &call, bool gradient);
/// As expertsForwardCuda. Results repeat bit for bit.
Result<void> expertsLinearCuda(const ExpertsLinearCall &call, bool gradient, void *stream);

/// The kernel file of `spec`, for KernelCache.
KernelRequest expertsRequest(const ExpertsSpec &spec);

} // namespace maskjit
