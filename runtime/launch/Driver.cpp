// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Binds libcuda through cuGetProcAddress. The functions' types stand in Driver.h: no CUDA header is needed to build.
#include "runtime/launch/Driver.h"
#include <dlfcn.h>
#include <fmt/format.h>
#include <map>
#include <mutex>

namespace maskjit::cuda {

static constexpr int kApiVersion = 12000; // the oldest driver interface that has all of these in this form

const Result<Driver> &Driver::load() {
  static const Result<Driver> loaded = []() -> Result<Driver> {
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
      return Error{"no CUDA driver (libcuda.so.1) on this machine; use the CPU target, or install NVIDIA's driver"};
    using GetProcAddress = int (*)(const char *, void **, int, uint64_t, int *);
    auto get = reinterpret_cast<GetProcAddress>(dlsym(library, "cuGetProcAddress_v2"));
    if (!get)
      return Error{"the CUDA driver is older than 12.0; update NVIDIA's driver, or use the CPU target"};

    Driver d;
    const char *missing = nullptr;
    auto find = [&](auto *&slot, const char *name) {
      void *address = nullptr;
      int status = 0;
      if (get(name, &address, kApiVersion, 0, &status) || !address)
        missing = name;
      slot = reinterpret_cast<std::remove_reference_t<decltype(slot)>>(address);
    };
    int (*init)(unsigned) = nullptr;
    find(init, "cuInit");
    find(d.getErrorString, "cuGetErrorString");
    find(d.driverGetVersion, "cuDriverGetVersion");
    find(d.deviceGetCount, "cuDeviceGetCount");
    find(d.deviceGet, "cuDeviceGet");
    find(d.deviceGetName, "cuDeviceGetName");
    find(d.deviceGetAttribute, "cuDeviceGetAttribute");
    find(d.devicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
    find(d.ctxGetCurrent, "cuCtxGetCurrent");
    find(d.ctxSetCurrent, "cuCtxSetCurrent");
    find(d.ctxGetDevice, "cuCtxGetDevice");
    find(d.moduleLoadDataEx, "cuModuleLoadDataEx");
    find(d.moduleUnload, "cuModuleUnload");
    find(d.moduleGetFunction, "cuModuleGetFunction");
    find(d.funcSetAttribute, "cuFuncSetAttribute");
    find(d.launchKernel, "cuLaunchKernel");
    find(d.launchKernelEx, "cuLaunchKernelEx");
    find(d.launchCooperative, "cuLaunchCooperativeKernel");
    find(d.memAlloc, "cuMemAlloc");
    find(d.memFree, "cuMemFree");
    find(d.memGetInfo, "cuMemGetInfo");
    find(d.memcpyHtoD, "cuMemcpyHtoD");
    find(d.memcpyDtoH, "cuMemcpyDtoH");
    find(d.memsetD8, "cuMemsetD8");
    find(d.tensorMapEncodeTiled, "cuTensorMapEncodeTiled");
    find(d.streamCreate, "cuStreamCreate");
    find(d.streamDestroy, "cuStreamDestroy");
    find(d.streamSynchronize, "cuStreamSynchronize");
    find(d.streamBeginCapture, "cuStreamBeginCapture");
    find(d.streamEndCapture, "cuStreamEndCapture");
    find(d.graphInstantiate, "cuGraphInstantiateWithFlags");
    find(d.graphLaunch, "cuGraphLaunch");
    find(d.graphExecDestroy, "cuGraphExecDestroy");
    find(d.graphDestroy, "cuGraphDestroy");
    find(d.eventCreate, "cuEventCreate");
    find(d.eventRecord, "cuEventRecord");
    find(d.eventSynchronize, "cuEventSynchronize");
    find(d.eventElapsedTime, "cuEventElapsedTime");
    find(d.eventDestroy, "cuEventDestroy");
    if (missing)
      return Error{fmt::format(
          "the CUDA driver lacks {} of version 12.0; update NVIDIA's driver, or use the CPU target", missing)};
    if (auto started = d.check(init(0), "starting the CUDA driver"); !started)
      return Error{started.error().message + "; use the CPU target, or make a GPU visible"};
    return d;
  }();
  return loaded;
}

Result<void> Driver::check(int code, const char *what) const {
  if (code == 0)
    return {};
  const char *words = nullptr;
  if (getErrorString)
    getErrorString(code, &words);
  return Error{fmt::format("{} failed: {} (CUDA error {})", what, words ? words : "unknown", code)};
}

Result<Device> Device::current() {
  const Result<Driver> &driver = Driver::load();
  if (!driver)
    return driver.error();
  Device device;
  if (auto got = driver->check(driver->ctxGetCurrent(&device.context), "asking for the current CUDA context"); !got)
    return got.error();
  if (!device.context)
    return Error{"no CUDA context is current on this thread; choose a device first, or use the CPU target"};

  static std::mutex mutex;
  static std::map<Context, Device> known;
  std::lock_guard<std::mutex> lock(mutex);
  auto [at, isNew] = known.try_emplace(device.context, device);
  if (!isNew)
    return at->second;
  int code = driver->ctxGetDevice(&device.ordinal);
  auto read = [&](int &value, Attribute which) {
    if (!code)
      code = driver->deviceGetAttribute(&value, which, device.ordinal);
  };
  read(device.multiprocessors, Attribute::MultiprocessorCount);
  read(device.major, Attribute::ComputeCapabilityMajor);
  read(device.minor, Attribute::ComputeCapabilityMinor);
  read(device.sharedBytes, Attribute::MaxSharedBytesPerBlockOptin);
  if (auto got = driver->check(code, "reading the device's attributes"); !got) {
    known.erase(at);
    return got.error();
  }
  return at->second = device;
}

} // namespace maskjit::cuda
