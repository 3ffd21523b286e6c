// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model of weights that are in memory already: for tests and benchmarks, which choose how each of them is held.
#pragma once
#include "model/GptOss.h"

namespace maskjit {

/// `weights` lie on `device`, as `config` sizes them; what is dense is of `dtype`.
std::shared_ptr<GptOss> fromWeights(const Config &config, Weights weights, at::Device device, at::ScalarType dtype);

} // namespace maskjit
