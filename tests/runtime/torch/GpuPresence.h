// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whether the CUDA driver answers and has a device.
#pragma once
#include <dlfcn.h>

namespace maskjit::test {

inline bool gpuPresent() {
  static const bool present = [] {
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!driver)
      return false;
    const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
    const auto count = reinterpret_cast<int (*)(int *)>(dlsym(driver, "cuDeviceGetCount"));
    int devices = 0;
    return init && count && init(0) == 0 && count(&devices) == 0 && devices > 0;
  }();
  return present;
}

} // namespace maskjit::test
