// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Gpu.h"
#include "runtime/launch/Driver.h"
#include <cstdlib>
#include <dlfcn.h>
#include <fmt/format.h>

namespace maskjit::test {

namespace {
void *driver() {
  static void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  return library;
}
template <class F> F *symbol(const char *name) { return reinterpret_cast<F *>(dlsym(driver(), name)); }

template <class... Parameters, class... Args> void call(int (*)(Parameters...), const char *name, Args... args) {
  const int code = symbol<int(Parameters...)>(name)(args...);
  if (code == 0)
    return;
  const char *text = "?";
  symbol<int(int, const char **)>("cuGetErrorString")(code, &text);
  fmt::print(stderr, "error: {}: {}\n", name, text);
  std::exit(1); // the context is lost: nothing after it would say anything
}
template <class... Args> void cuda(const char *name, Args... args) {
  call(static_cast<int (*)(Args...)>(nullptr), name, args...);
}

void *captured = nullptr; // the stream of the graph that is being captured; else the default stream
constexpr size_t kFlushBytes = size_t(256) << 20; // several times any L2
constexpr int kMaxDynamicShared = 8;              // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES

void *context() {
  static void *primary = [] {
    int device = 0;
    void *result = nullptr;
    if (!driver() || symbol<int(unsigned)>("cuInit")(0) || symbol<int(int *, int)>("cuDeviceGet")(&device, 0) ||
        symbol<int(void **, int)>("cuDevicePrimaryCtxRetain")(&result, device))
      return static_cast<void *>(nullptr);
    return result;
  }();
  return primary;
}
} // namespace

bool openGpu() {
  if (!context())
    return false;
  cuda("cuCtxSetCurrent", context());
  return true;
}
std::string gpuName() {
  char name[128] = {};
  cuda("cuDeviceGetName", static_cast<char *>(name), 128, 0);
  return name;
}

DeviceBuffer::DeviceBuffer(size_t bytes) : bytes(bytes) { cuda("cuMemAlloc_v2", &address, bytes ? bytes : 1); }
DeviceBuffer::~DeviceBuffer() {
  if (address)
    cuda("cuMemFree_v2", address);
}
void DeviceBuffer::fill(unsigned char byte) { cuda("cuMemsetD8_v2", address, byte, bytes); }
void DeviceBuffer::upload(const void *from, size_t count) {
  if (count)
    cuda("cuMemcpyHtoD_v2", address, from, count);
}
void DeviceBuffer::download(void *to) const {
  if (bytes)
    cuda("cuMemcpyDtoH_v2", to, address, bytes);
}

GpuModule::GpuModule(const std::string &image) {
  cuda("cuModuleLoadData", &module, static_cast<const void *>(image.data()));
}
GpuModule::~GpuModule() { cuda("cuModuleUnload", module); }
void GpuModule::launch(const char *function, Grid grid, int threads, int sharedBytes, std::vector<void *> args,
                       bool cooperative, bool dependent) const {
  void *&handle = functions[function];
  if (!handle) {
    cuda("cuModuleGetFunction", &handle, module, function);
    cuda("cuFuncSetAttribute", handle, kMaxDynamicShared, sharedBytes);
  }
  void **extra = nullptr;
  if (cooperative)
    cuda("cuLaunchCooperativeKernel", handle, grid.x, grid.y, grid.z, unsigned(threads), 1u, 1u, unsigned(sharedBytes),
         captured, args.data());
  else if (dependent) {
    maskjit::cuda::LaunchAttribute attribute{maskjit::cuda::kAttributeProgrammaticSerialization, 0, {1}};
    const maskjit::cuda::LaunchConfig config{grid.x,
                                             grid.y,
                                             grid.z,
                                             unsigned(threads),
                                             1,
                                             1,
                                             unsigned(sharedBytes),
                                             static_cast<maskjit::cuda::Stream>(captured),
                                             &attribute,
                                             1};
    cuda("cuLaunchKernelEx", &config, handle, args.data(), extra);
  } else
    cuda("cuLaunchKernel", handle, grid.x, grid.y, grid.z, unsigned(threads), 1u, 1u, unsigned(sharedBytes), captured,
         args.data(), extra);
}

GpuGraph::GpuGraph(const std::function<void()> &launches) {
  constexpr int kGlobal = 0;
  synchronizeGpu();
  cuda("cuStreamCreate", &captured, 1u);
  cuda("cuStreamBeginCapture_v2", captured, kGlobal);
  launches();
  cuda("cuStreamEndCapture", captured, &graph);
  cuda("cuStreamDestroy_v2", captured);
  captured = nullptr;
  cuda("cuGraphInstantiateWithFlags", &exec, graph, 0ull);
}
GpuGraph::~GpuGraph() {
  cuda("cuGraphExecDestroy", exec);
  cuda("cuGraphDestroy", graph);
}
void GpuGraph::replay() const { cuda("cuGraphLaunch", exec, static_cast<void *>(nullptr)); }
static int attribute(int number) {
  int value = 0;
  cuda("cuDeviceGetAttribute", &value, number, 0);
  return value;
}
int multiprocessors() { return attribute(16); }                        // CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT
int computeCapability() { return 10 * attribute(75) + attribute(76); } // .._COMPUTE_CAPABILITY_MAJOR, MINOR
TensorMapData encodeTensorMap(const device::TensorMapShape &shape, bool bf16) {
  constexpr int kFloat16 = 6, kBfloat16 = 9, kNoInterleave = 0, kSwizzle128 = 3, kPromote256 = 3, kZeros = 0;
  const unsigned ones[5] = {1, 1, 1, 1, 1};
  TensorMapData map;
  cuda("cuTensorMapEncodeTiled", &map, bf16 ? kBfloat16 : kFloat16, unsigned(shape.rank), shape.base, shape.sizes,
       shape.strides, shape.box, static_cast<const unsigned *>(ones), kNoInterleave, kSwizzle128, kPromote256, kZeros);
  return map;
}
void synchronizeGpu() { cuda("cuCtxSynchronize"); }

GpuTimer::GpuTimer() : scratch(kFlushBytes) {
  cuda("cuEventCreate", &events[0], 0u);
  cuda("cuEventCreate", &events[1], 0u);
}
void GpuTimer::flush() { scratch.fill(1); }
void GpuTimer::start() { cuda("cuEventRecord", events[0], static_cast<void *>(nullptr)); }
float GpuTimer::stop() {
  float milliseconds = 0;
  cuda("cuEventRecord", events[1], static_cast<void *>(nullptr));
  cuda("cuEventSynchronize", events[1]);
  cuda("cuEventElapsedTime", &milliseconds, events[0], events[1]);
  return milliseconds;
}

} // namespace maskjit::test
