// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Makes CUDA tensors possible where there is a driver, without needing CUDA's libraries where there is none.
#pragma once

namespace maskjit::rl {

/// Loads libtorch_cuda.so if the NVIDIA driver reports a device; does nothing otherwise. Must come before any LibTorch
/// call. Prints why if the driver is there and the library does not load.
void loadTorchCuda();

} // namespace maskjit::rl
