// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loads a model for a command, with messages about device and dtype.
#pragma once
#include "model/GptOss.h"
#include <memory>
#include <string>

namespace maskjit::rl {

/// device: cpu, cuda or cuda:N; dtype: float32 or bfloat16. Throws std::runtime_error if the device is not there.
std::shared_ptr<GptOss> loadModel(const std::string &directory, const std::string &device, const std::string &dtype);

} // namespace maskjit::rl
