// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The weights of gpt-oss and their Hugging Face names.
#pragma once
#include "model/Config.h"
#include "model/ReadWeights.h"
#include <functional>
#include <string>
#include <vector>

namespace maskjit {

struct LayerWeights {
  at::Tensor inputNorm, postNorm;            // [hidden]
  Matrix qWeight, kWeight, vWeight, oWeight; // dense: [out, in]
  at::Tensor qBias, kBias, vBias, oBias;     // [out]
  at::Tensor sinks;                          // [Hq]
  Matrix routerWeight;                       // dense: [E, hidden]
  at::Tensor routerBias;                     // [E]
  Matrix gateUp, down;                       // dense: [E, hidden, 2 I], gate even columns, up odd ones; [E, I, hidden]
  at::Tensor gateUpBias, downBias;           // [E, 2 I]; [E, hidden]
};

struct Weights {
  at::Tensor embedding, norm; // [vocabulary, hidden], [hidden]
  Matrix head;                // dense: [vocabulary, hidden]
  std::vector<LayerWeights> layers;
};

/// Calls one of the two for every weight, with its Hugging Face name and the shape that the configuration gives it:
/// [out, in] of a projection, [E, in, out] of a stack of experts.
struct WeightVisitor {
  std::function<void(const std::string &name, const std::vector<int64_t> &shape, at::Tensor &)> tensor;
  std::function<void(const std::string &name, const std::vector<int64_t> &shape, Matrix &)> matrix;
};
void visitWeights(Weights &weights, const Config &config, const WeightVisitor &visit);

/// Reads a checkpoint. Throws std::runtime_error naming every tensor that is missing, surplus or of the wrong dtype or
/// shape.
Weights loadWeights(const std::string &directory, const Config &config, at::Device device, at::ScalarType dtype,
                    const LoadOptions &options = {});
/// Norms 1, biases 0, the rest normal with initializer_range, as transformers initialises; the same on every device.
Weights randomWeights(const Config &config, at::Device device, at::ScalarType dtype, uint64_t seed);
/// Experts as random MXFP4 in the released layout, the rest as randomWeights but filled on the device: for benchmarks
/// at full size, which random numbers drawn on the host would take minutes for.
Weights randomPackedWeights(const Config &config, at::Device device, at::ScalarType dtype, uint64_t seed);
/// Writes model.safetensors in `dtype`, or shards of 5 GB.
void saveWeights(const Weights &weights, const Config &config, const std::string &directory, at::ScalarType dtype);

} // namespace maskjit
