// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The CUDA driver, opened at run time: memory, modules, launches, events. A failed call ends the test with its message.
#pragma once
#include "compiler/device/sm90_maps.h"
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace maskjit::test {

struct alignas(64) TensorMapData {
  char opaque[128];
};

/// True where a driver answers and there is a device; makes its context current on the calling thread.
bool openGpu();
std::string gpuName();
int computeCapability(); // 90 for 9.0

/// Device memory that frees itself.
class DeviceBuffer {
public:
  explicit DeviceBuffer(size_t bytes);
  template <class T> explicit DeviceBuffer(const std::vector<T> &from) : DeviceBuffer(from.size() * sizeof(T)) {
    upload(from.data(), from.size() * sizeof(T));
  }
  DeviceBuffer(DeviceBuffer &&other) noexcept : address(other.address), bytes(other.bytes) { other.address = 0; }
  DeviceBuffer &operator=(DeviceBuffer &&) = delete;
  ~DeviceBuffer();
  void fill(unsigned char byte);
  void upload(const void *from, size_t count);
  template <class T> std::vector<T> download() const {
    std::vector<T> to(bytes / sizeof(T));
    download(to.data());
    return to;
  }
  template <class T> T *as() const { return reinterpret_cast<T *>(address); }
  size_t size() const { return bytes; }

private:
  void download(void *to) const;
  uint64_t address = 0;
  size_t bytes = 0;
};

class GpuModule {
public:
  explicit GpuModule(const std::string &image);
  GpuModule(const GpuModule &) = delete;
  ~GpuModule();
  struct Grid {
    unsigned x, y, z;
  };
  /// `cooperative`: all blocks resident at once. `dependent`: from sm_90 they may start before the last launch's are
  /// done (compiler/device/dependents.cuh).
  void launch(const char *function, Grid grid, int threads, int sharedBytes, std::vector<void *> args,
              bool cooperative = false, bool dependent = false) const;

private:
  void *module = nullptr;
  mutable std::map<std::string, void *> functions; // looked up once: launches are short
};

void synchronizeGpu();

/// What `launches` launches, as a graph to be replayed.
class GpuGraph {
public:
  explicit GpuGraph(const std::function<void()> &launches);
  GpuGraph(const GpuGraph &) = delete;
  ~GpuGraph();
  void replay() const; // on the default stream

private:
  void *graph = nullptr, *exec = nullptr;
};
int multiprocessors();
/// A tensor map of 16-bit elements with the settings that sm90_maps.h names.
TensorMapData encodeTensorMap(const device::TensorMapShape &shape, bool bf16);

/// Times work on the device by events.
class GpuTimer {
public:
  GpuTimer();
  void flush(); // overwrites what the L2 cache holds
  void start();
  float stop(); // milliseconds since start()
private:
  DeviceBuffer scratch;
  void *events[2] = {};
};

} // namespace maskjit::test
