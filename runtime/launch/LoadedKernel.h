// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel in a CUDA context, ready to launch. The first call of a structure compiles or reads it; later ones find it.
#pragma once
#include "runtime/cache/KernelCache.h"
#include "runtime/launch/Driver.h"

namespace maskjit::cuda {

/// What to compile for a device.
struct Target {
  std::string arch;
  ImageKind kind = ImageKind::Cubin;
};

/// Of a compute capability: its own architecture; for one between two of the list the lower one of the same generation;
/// for anything later the newest portable one's PTX. $MASKJIT_ARCH names another one, whose PTX is then taken: the way
/// to run an older architecture's kernels on a newer GPU. Errors: older than sm_75.
Result<Target> targetOf(int major, int minor);

/// The calling thread's device and what to compile for it.
struct DeviceTarget {
  Device device;
  Target target;
};
Result<DeviceTarget> currentTarget();

struct Grid {
  int64_t x = 1, y = 1, z = 1;
};

class LoadedKernel {
public:
  /// `spec.arch` is filled in from the device.
  static Result<std::shared_ptr<const LoadedKernel>> find(const Mask &mask, KernelSpec spec, const Device &device);

  /// Of a kernel without a mask; `request.spec.arch` and `kind` are those of targetOf.
  static Result<std::shared_ptr<const LoadedKernel>> find(const KernelRequest &request, ImageKind kind,
                                                          const Device &device);

  size_t entries() const { return functions.size(); }
  const CudaKernel::Entry &entry(size_t index) const { return image->entries[index]; }
  bool usesHead() const { return image->usesHead; }

  /// Launches entry `index` with its own threads and shared memory; one that is cooperative fails if its grid cannot be
  /// resident at once. `arguments` point to the values.
  /// `dependent`: on GPUs from sm_90 the kernel may start while the one before it on the stream still runs; it must
  /// wait for it by itself (compiler/device/dependents.cuh), and so must its predecessor have done.
  Result<void> launch(size_t index, Grid grid, Stream stream, void **arguments, bool dependent = false) const;

private:
  static Result<std::shared_ptr<const LoadedKernel>> load(Result<KernelImagePtr> image);

  KernelImagePtr image;
  bool overlaps = false;           // the device has programmatic dependent launch
  std::vector<Function> functions; // as image->entries
};

} // namespace maskjit::cuda
