// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loads a model for a command.
#include "rl/tools/Loading.h"
#include <ATen/Context.h>
#include <stdexcept>

namespace maskjit::rl {

std::shared_ptr<GptOss> loadModel(const std::string &directory, const std::string &device, const std::string &dtype) {
  if (dtype != "float32" && dtype != "bfloat16")
    throw std::runtime_error("dtype '" + dtype + "' is unknown; use float32 or bfloat16");
  if (device.rfind("cuda", 0) == 0 && !at::hasCUDA())
    throw std::runtime_error("device '" + device +
                             "' is not there: the NVIDIA driver did not answer or libtorch_cuda.so did not load; "
                             "use --device cpu");
  return GptOss::load(directory, at::Device(device), dtype == "float32" ? at::kFloat : at::kBFloat16);
}

} // namespace maskjit::rl
