// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loads libtorch_cuda.so where the driver answers.
#include "rl/tools/CudaLibrary.h"
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>

namespace maskjit::rl {

static bool driverAnswers() {
  void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!driver)
    return false;
  auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  auto deviceCount = reinterpret_cast<int (*)(int *)>(dlsym(driver, "cuDeviceGetCount"));
  int count = 0;
  return init && deviceCount && init(0) == 0 && deviceCount(&count) == 0 && count > 0;
}

void loadTorchCuda() {
  if (!driverAnswers())
    return;
  // Segments that grow take from the device what tensors need and little more: 0.14 GiB less for gpt-oss-20b.
  setenv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True", /*overwrite=*/0);
  if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL))
    std::fprintf(stderr, "note: an NVIDIA driver is here, but CUDA tensors are not: %s\n", dlerror());
}

} // namespace maskjit::rl
