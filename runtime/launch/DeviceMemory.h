// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Device memory through the driver alone, freed together: for programs that have no tensor library.
#pragma once
#include "runtime/launch/Driver.h"
#include <vector>

namespace maskjit::cuda {

/// Makes the primary context of GPU `device` current on this thread.
Result<void> useDevice(int device);

/// Allocations of one call on the current context. The destructor waits for nothing: synchronise first.
class DeviceMemory {
public:
  DeviceMemory() = default;
  DeviceMemory(const DeviceMemory &) = delete;
  DeviceMemory &operator=(const DeviceMemory &) = delete;
  ~DeviceMemory();

  Result<void *> allocate(size_t bytes);
  /// A copy of host memory; null for null.
  Result<void *> upload(const void *host, size_t bytes);
  Result<void> download(void *host, const void *device, size_t bytes) const;
  /// Waits for the default stream.
  Result<void> synchronize() const;

private:
  std::vector<DevicePtr> blocks;
};

} // namespace maskjit::cuda
