// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Single weights out of a checkpoint, in whichever form it holds them; what is wrong is noted in the checkpoint.
#pragma once
#include "model/Matrix.h"
#include "model/Transfer.h"

namespace maskjit {

/// How weights are held in memory.
struct LoadOptions {
  bool dense = false;        // what the checkpoint holds in 4 bits becomes plain numbers, which can learn
  bool nf4Attention = false; // q, k, v, o that the checkpoint holds as plain numbers become NF4
  bool nf4Experts = false;   // experts too
  /// On a GPU: the embedding stays in pinned host memory, of which kernels read the rows of the tokens they are given.
  bool embeddingOnHost = false;
  ShardSource shards; // where not all files are there at once
  LoadProgress progress;
};

class WeightReader {
public:
  /// `dtype`: of weights that are held as plain numbers; undefined: as they are stored.
  WeightReader(Checkpoint &checkpoint, at::Device device, std::optional<at::ScalarType> dtype, LoadOptions options)
      : checkpoint(checkpoint), transfer(checkpoint, device, options.progress), device(device), dtype(dtype),
        options(std::move(options)) {}

  at::Tensor tensor(const std::string &name, const std::vector<int64_t> &shape);
  /// Stored as plain [out, in] or [E, in, out], as MXFP4 (blocks and scales beside), as NF4 with its state beside, or,
  /// experts, one by one as community checkpoints have them.
  Matrix matrix(const std::string &name, const std::vector<int64_t> &shape);
  /// A plain tensor in host memory that the GPU of this reader reads (see HostMemory.h).
  at::Tensor onHost(const std::string &name, const std::vector<int64_t> &shape);
  /// Notes what only a pass over the weights on the device shows. Call it before Checkpoint::finish.
  void finish();

private:
  at::Tensor plain(const std::string &name, const std::vector<int64_t> &shape, std::optional<at::ScalarType> as);
  Matrix mxfp4(const std::string &name, const std::vector<int64_t> &shape);
  /// Matrices [out, in] of these names as one stack.
  Matrix nf4(const std::vector<std::string> &names, int64_t out, int64_t in);
  Matrix oneByOne(const std::string &name, const std::vector<int64_t> &shape);
  Matrix quantized(const std::string &name, const std::vector<int64_t> &shape);
  void checkScales(const std::string &name, int64_t largest);

  Checkpoint &checkpoint;
  Transfer transfer;
  at::Device device;
  std::optional<at::ScalarType> dtype;
  LoadOptions options;
  std::vector<std::pair<std::string, at::Tensor>> largestScales; // of MXFP4 on the device, not waited for
};

/// The names of one expert's linear layer in community checkpoints: "...experts.gate_up_proj" of expert 3 is
/// "...experts.gate_up_projs.3.weight", and its "gate_up_proj_bias" "...experts.gate_up_projs.3.bias".
std::string expertName(const std::string &name, int64_t expert);
/// "...mlp.router.weight" as "...mlp.router.linear.weight"; other names as they are.
std::string communityName(const std::string &name);
constexpr const char *kNf4State = ".quant_state.bitsandbytes__nf4";

} // namespace maskjit
