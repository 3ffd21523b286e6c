// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A map from structure to kernel, whose values come from the thread that asked first.
#include "runtime/cpu/CpuKernels.h"
#include "runtime/cache/CompileCounter.h"
#include <future>
#include <mutex>
#include <tuple>

namespace maskjit {
namespace {

using Compiled = Result<std::shared_ptr<const CpuKernel>>;
using Key = std::tuple<std::string, Phase, DType, int>; // digest of the mask, phase, dtype, head dim

struct KernelMap {
  std::mutex mutex;
  std::map<Key, std::shared_future<Compiled>> kernels;
};
KernelMap &kernelMap() {
  static KernelMap *map = new KernelMap; // never destroyed: other threads may be running its code at exit
  return *map;
}

} // namespace

Compiled cpuKernel(const Mask &mask, const KernelSpec &spec) {
  const Phase phase = isBackward(spec.phase) ? Phase::BackwardDq : Phase::Forward;
  const Key key{mask.digest(), phase, spec.dtype, spec.headDim};
  KernelMap &map = kernelMap();
  std::promise<Compiled> promise;
  {
    std::unique_lock lock(map.mutex);
    if (auto found = map.kernels.find(key); found != map.kernels.end()) {
      std::shared_future<Compiled> kernel = found->second;
      lock.unlock();
      return kernel.get();
    }
    map.kernels.emplace(key, promise.get_future().share());
  }
  countCompilation();
  Compiled kernel = compileForCpu(mask, spec);
  if (!kernel) {
    std::lock_guard lock(map.mutex);
    map.kernels.erase(key);
  }
  promise.set_value(kernel);
  return kernel;
}

} // namespace maskjit
