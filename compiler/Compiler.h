// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The compiler's only door: masks go in; what is derived from them, and kernels, come out. Includes no MLIR header.
//
//   auto mask = maskjit::Mask::find("gpt_oss_sliding");          // a shipped mask, or a path to a .mask file
//   if (!mask) return report(mask.error().message);
//   auto source = maskjit::emitCuda(*mask, {maskjit::Phase::Forward, maskjit::DType::BF16, 64, 8, "sm_90a"});
#pragma once
#include "compiler/Result.h"
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace maskjit {

// ---- masks ----

/// What an array parameter is indexed by. Every parameter, scalars too, may differ by batch besides.
enum class Axis { None, Batch, Head, Query, Key };

struct ParamInfo {
  std::string name;
  Axis axis = Axis::None;
  int64_t min = 0, max = 0; // inclusive; of integers only
  bool isStatic = false, isSorted = false, isFloat = false;
  std::optional<double> defaultValue; // absent: the caller must give the value
};

/// Values of one parameter; the memory is the caller's. Element i for sequence b is
/// data[b * batchStride + min(max(i, 0), size - 1)], an int32_t, or a float where ParamInfo::isFloat.
struct ParamValues {
  const void *data = nullptr;
  int64_t batchStride = 0; // in elements; 0: the same for every sequence
  int64_t size = 1;        // along the axis; 1 for a scalar
};

/// Half-open. Empty if end <= begin.
struct Range {
  int64_t begin = 0, end = 0;
  bool empty() const { return end <= begin; }
};
enum class TileClass { Empty, Partial, Full };

/// A verified mask. Immutable and cheap to copy; may be used from many threads.
class Mask {
public:
  /// Parses `text`, a .mask file called `file` in messages, and takes mask `name` of it, or the last one.
  static Result<Mask> parse(std::string_view text, std::string_view file, std::string_view name = {});
  /// `reference`: NAME of a shipped mask | PATH.mask | PATH.mask:NAME, each with {parameter=integer,...} for statics.
  static Result<Mask> find(std::string_view reference);
  /// Names of the masks that ship with the library.
  static std::vector<std::string> shipped();

  /// The same mask with its static parameters folded; every static needs a value or a default.
  Result<Mask> specialize(const std::map<std::string, int64_t> &values) const;

  const std::string &name() const;
  /// In the order of the declaration, which is the order in which values are passed. Folded statics are gone.
  const std::vector<ParamInfo> &params() const;
  bool hasScore() const;
  /// Textual IR: the predicate (and score) alone, or with everything that the pipeline derives from it.
  std::string ir(bool derived) const;
  /// 32 hex digits of the canonical IR (names and locations do not matter): the structure, as kernels are keyed by it.
  const std::string &digest() const;

  struct Impl;
  explicit Mask(std::shared_ptr<const Impl> impl) : impl(std::move(impl)) {}
  const Impl &get() const { return *impl; }

private:
  std::shared_ptr<const Impl> impl;
};

/// Evaluates a mask point by point with parameters bound: the interpreter, oracle of all targets. Integers are exact
/// (128 bits inside; an overflow beyond is reported as an error by bind). Derived functions are evaluated from their
/// IR.
class MaskEvaluator {
public:
  /// `values` as Mask::params(); missing trailing ones take their defaults. Checks ranges and sortedness.
  static Result<MaskEvaluator> bind(const Mask &mask, std::vector<ParamValues> values, int64_t batch);

  bool attends(int64_t b, int64_t h, int64_t q, int64_t k) const;
  float score(float s, int64_t b, int64_t h, int64_t q, int64_t k) const;
  // What the pipeline derived (unbounded where it derived nothing):
  Range keys(int64_t b, int64_t h, Range queries) const;
  Range fullKeys(int64_t b, int64_t h, Range queries) const;
  Range queries(int64_t b, int64_t h, Range keys) const;
  Range fullQueries(int64_t b, int64_t h, Range keys) const;
  std::optional<Range> row(int64_t b, int64_t h, int64_t q) const;
  std::optional<Range> column(int64_t b, int64_t h, int64_t k) const;
  TileClass classify(int64_t b, int64_t h, Range queries, Range keys) const;

private:
  struct Impl;
  std::shared_ptr<const Impl> impl;
};

// ---- kernels ----

enum class DType { F32, F16, BF16 };
/// Forward serves training and prefill. Decode: few queries a sequence, split over keys. All three take pages of keys.
/// ForwardSm90: Forward on Hopper's own instructions, for calls that compiler/device/sm90_maps.h describes.
/// BackwardDq: row sums, gradients of sinks and of q; BackwardDkDv: those of k and v, which CUDA compiles apart, so
/// that both are compiled at the same time. The CPU has one set of functions for the two.
enum class Phase { Forward, BackwardDq, Decode, ForwardSm90, BackwardDkDv };
inline constexpr Phase kPhases[] = {Phase::Forward, Phase::ForwardSm90, Phase::BackwardDq, Phase::BackwardDkDv,
                                    Phase::Decode};
inline bool isBackward(Phase phase) { return phase == Phase::BackwardDq || phase == Phase::BackwardDkDv; }
/// "forward", "forward_sm90", "backward_dq", "backward_dkdv", "decode".
const char *phaseName(Phase phase);

/// What a kernel is compiled for. Never a length, an offset or a batch size.
struct KernelSpec {
  Phase phase = Phase::Forward;
  DType dtype = DType::F32;
  int headDim = 64;        // 32, 64, 96, 128 or 256
  int headsPerKeyHead = 1; // query heads that share a key head
  std::string arch;        // "sm_75" ... "sm_120"; compileForCpu compiles for the machine at hand
};

/// A CUDA C++ file and what a launcher needs to know of it.
struct CudaKernel {
  std::string source; // complete but for the device headers, which deviceHeaders() holds
  std::string key;    // the structure: hex digest of everything that decides the cubin except NVRTC's version
  struct Entry {
    std::string name; // of the extern "C" __global__ function
    int threads = 0, sharedBytes = 0, tileQueries = 0, tileKeys = 0;
    bool cooperative = false; // all blocks of the grid must be resident at once
  };
  std::vector<Entry> entries;       // in launch order
  bool usesHead = false;            // Mask::kUsesHead: heads do not share blocks
  std::vector<std::string> options; // for NVRTC
};
Result<CudaKernel> emitCuda(const Mask &mask, const KernelSpec &spec);
/// Whether there is a kernel of `spec.phase`: always, but for ForwardSm90, which is for sm_90a, masks without score and
/// head dims 64 and 128.
bool hasKernel(const Mask &mask, const KernelSpec &spec);
/// CudaKernel::key alone: derives and prints nothing, so that a cache is asked in microseconds.
Result<std::string> cudaKey(const Mask &mask, const KernelSpec &spec);
/// The same job one step earlier, as textual IR: the derived mask and an `attn` operation with its schedule.
Result<std::string> attnIr(const Mask &mask, const KernelSpec &spec);

// ---- kernels without a mask ----

/// How weights are held: 16-bit numbers of the activations' dtype, or in 4 bits.
enum class WeightFormat { Dense, Mxfp4, Nf4 };

/// Layer: both products, the activation and the weighted sum. Linear: one product, for training, where other things
/// stand between the two; Gradient: that of a Linear's input, from the same bytes.
enum class ExpertsKind { Layer, Linear, Gradient };
/// Experts, for a class of token counts. Dense ones ([experts, inputs, outputs], as checkpoints hold them) have a kernel
/// of a Layer alone, for few tokens.
struct ExpertsSpec {
  ExpertsKind kind = ExpertsKind::Layer;
  int hidden = 0, intermediate = 0; // of a Linear and its Gradient: inputs and outputs of the matrix
  int expertsPerToken = 4;
  int rows = 0; // the class: 4, 8: the most tokens of a launch; 12: tiles of 8 tokens of one expert; more: of so many
  DType dtype = DType::BF16;
  std::string arch;
  WeightFormat format = WeightFormat::Mxfp4; // or Dense
};
/// The class that serves `tokens` tokens of a layer of `experts` best; of Dense the most of a launch. Errors: sizes or a dtype without kernels.
Result<int> expertsRows(const ExpertsSpec &spec, int64_t tokens, int64_t experts);
/// All classes of an architecture and its sizes, ascending.
std::vector<int> expertsRowClasses(const ExpertsSpec &spec);
/// Entries of a single launch: one, cooperative. Of the others: route, gate_up, down, combine; of a Linear or Gradient:
/// route, product. tileQueries are weight rows (of a Gradient: columns) and tileKeys tokens of a tile.
Result<CudaKernel> emitCuda(const ExpertsSpec &spec);
Result<std::string> cudaKey(const ExpertsSpec &spec);
/// Of a Layer.
Result<std::string> attnIr(const ExpertsSpec &spec);

struct DeviceHeader {
  std::string_view name, text;
};
/// The headers that generated CUDA includes.
const std::vector<DeviceHeader> &deviceHeaders();
/// All architectures that kernels are made for, ascending.
const std::vector<std::string> &architectures();

/// Functions of a mask compiled for this machine's CPU; `entry(args, begin, end)` works off items [begin, end) of a
/// phase, see compiler/device/cpu/CpuAttention.h for the argument block. Thread-safe; lives as long as the object.
class CpuKernel {
public:
  using Entry = void (*)(const void *args, int64_t begin, int64_t end);
  virtual ~CpuKernel() = default;
  virtual Entry entry(std::string_view name) const = 0; // null if there is none of that name
};
/// Reads spec.phase (Decode is Forward here), dtype and headDim.
Result<std::shared_ptr<const CpuKernel>> compileForCpu(const Mask &mask, const KernelSpec &spec);

} // namespace maskjit
