// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The most memory that the process has held.
#include "rl/Memory.h"
#include <c10/cuda/CUDACachingAllocator.h>
#include <sys/resource.h>

namespace maskjit::rl {

int64_t peakMemory(at::Device device) {
  if (device.is_cuda()) {
    auto stats =
        c10::cuda::CUDACachingAllocator::getDeviceStats(device.has_index() ? device.index() : c10::DeviceIndex(0));
    return stats.allocated_bytes[0].peak; // entry 0 sums all pools
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t(usage.ru_maxrss) * 1024; // Linux counts in KiB
}

} // namespace maskjit::rl
