// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The weights of gpt-oss and their Hugging Face names.
#pragma once
#include "model/Config.h"
#include <ATen/core/Tensor.h>
#include <functional>
#include <string>
#include <vector>

namespace maskjit {

struct LayerWeights {
  at::Tensor inputNorm, postNorm;                                            // [hidden]
  at::Tensor qWeight, qBias, kWeight, kBias, vWeight, vBias, oWeight, oBias; // [out, in], [out]
  at::Tensor sinks;                                                          // [Hq]
  at::Tensor routerWeight, routerBias;                                       // [E, hidden], [E]
  at::Tensor gateUp, gateUpBias; // [E, hidden, 2 I], [E, 2 I]; gate even columns, up odd ones
  at::Tensor down, downBias;     // [E, I, hidden], [E, hidden]
};

struct Weights {
  at::Tensor embedding, norm, head; // [vocabulary, hidden], [hidden], [vocabulary, hidden]
  std::vector<LayerWeights> layers;
};

/// Calls `visit` for every weight with its Hugging Face name and the shape that the configuration gives it.
using WeightVisitor = std::function<void(const std::string &name, const std::vector<int64_t> &shape, at::Tensor &)>;
void visitWeights(Weights &weights, const Config &config, const WeightVisitor &visit);

/// Reads a checkpoint; 4-bit weights are dequantized. Throws std::runtime_error naming every tensor that is missing,
/// surplus or of the wrong dtype or shape.
Weights loadWeights(const std::string &directory, const Config &config, at::Device device, at::ScalarType dtype);
/// Norms 1, biases 0, the rest normal with initializer_range, as transformers initialises; the same on every device.
Weights randomWeights(const Config &config, at::Device device, at::ScalarType dtype, uint64_t seed);
/// Writes model.safetensors in `dtype`.
void saveWeights(const Weights &weights, const Config &config, const std::string &directory, at::ScalarType dtype);

} // namespace maskjit
