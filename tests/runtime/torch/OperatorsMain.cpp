// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loads LibTorch's CUDA part where there is a GPU, before the first LibTorch call: libtorch_cpu asks for it only once.
#include "GpuPresence.h"
#include <cstdio>
#include <dlfcn.h>
#include <gtest/gtest.h>

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  if (maskjit::test::gpuPresent() && !dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL)) {
    std::fprintf(stderr, "there is a GPU, but no libtorch_cuda.so: %s\n", dlerror());
    return 1;
  }
  return RUN_ALL_TESTS();
}
