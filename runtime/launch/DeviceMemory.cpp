// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// cuMemAlloc and cuMemcpy with an owner.
#include "runtime/launch/DeviceMemory.h"
#include <algorithm>
#include <fmt/format.h>

namespace maskjit::cuda {

Result<void> useDevice(int ordinal) {
  const Result<Driver> &driver = Driver::load();
  if (!driver)
    return driver.error();
  int count = 0, device = 0;
  if (auto done = driver->check(driver->deviceGetCount(&count), "counting GPUs"); !done)
    return done;
  if (ordinal < 0 || ordinal >= count)
    return Error{fmt::format("there is no GPU {}: {} visible; use the CPU target, or set CUDA_VISIBLE_DEVICES", ordinal,
                             count == 1 ? "1 is" : fmt::format("{} are", count))};
  Context context = nullptr;
  int code = driver->deviceGet(&device, ordinal);
  if (!code)
    code = driver->devicePrimaryCtxRetain(&context, device); // kept: kernels stay loaded in it
  if (!code)
    code = driver->ctxSetCurrent(context);
  return driver->check(code, "opening the GPU");
}

static DevicePtr address(const void *pointer) { return reinterpret_cast<DevicePtr>(pointer); }

DeviceMemory::~DeviceMemory() {
  if (const Result<Driver> &driver = Driver::load(); driver)
    for (DevicePtr block : blocks)
      driver->memFree(block);
}

Result<void *> DeviceMemory::allocate(size_t bytes) {
  const Result<Driver> &driver = Driver::load();
  if (!driver)
    return driver.error();
  DevicePtr block = 0;
  if (auto done = driver->check(driver->memAlloc(&block, std::max<size_t>(bytes, 1)),
                                fmt::format("allocating {} bytes on the GPU", bytes).c_str());
      !done)
    return done.error();
  blocks.push_back(block);
  return reinterpret_cast<void *>(block);
}

Result<void *> DeviceMemory::upload(const void *host, size_t bytes) {
  if (!host)
    return static_cast<void *>(nullptr);
  Result<void *> device = allocate(bytes);
  if (!device || bytes == 0)
    return device;
  const Driver &driver = *Driver::load();
  if (auto done = driver.check(driver.memcpyHtoD(address(*device), host, bytes), "copying to the GPU"); !done)
    return done.error();
  return device;
}

Result<void> DeviceMemory::download(void *host, const void *device, size_t bytes) const {
  if (bytes == 0)
    return {};
  const Driver &driver = *Driver::load();
  return driver.check(driver.memcpyDtoH(host, address(device), bytes), "copying from the GPU");
}

Result<void> DeviceMemory::synchronize() const {
  const Result<Driver> &driver = Driver::load();
  if (!driver)
    return driver.error();
  return driver->check(driver->streamSynchronize(nullptr), "running kernels on the GPU");
}

} // namespace maskjit::cuda
