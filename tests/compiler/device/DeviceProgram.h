// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CUDA text to machine code through NVRTC, with what ptxas says of each kernel. Needs no GPU.
#pragma once
#include "compiler/Result.h"
#include <map>
#include <string>
#include <vector>

namespace maskjit::test {

struct KernelResources {
  int registers = 0, stackBytes = 0, spillBytes = 0;
};

struct DeviceProgram {
  std::string image; // a cubin, or PTX where the architecture was compute_NN
  std::map<std::string, KernelResources> kernels;
  double milliseconds = 0; // of NVRTC
};

/// Compiles `source` over the library's device headers for "sm_NN" or "compute_NN". The error is NVRTC's log.
Result<DeviceProgram> compileDevice(const std::string &source, const std::string &arch);

/// False where no libnvrtc.so.13 can be opened.
bool hasNvrtc();

} // namespace maskjit::test
