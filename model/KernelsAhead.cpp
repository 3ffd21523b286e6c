// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "model/KernelsAhead.h"
#include "model/SelfAttention.h"
#include "runtime/launch/LoadedKernel.h"
#include <ATen/Functions.h>

namespace maskjit {

std::unique_ptr<CompileAhead> compileKernelsAhead(const Config &config, at::Device device, at::ScalarType dtype) {
  if (!device.is_cuda())
    return nullptr;
  at::zeros({1}, at::TensorOptions(device)); // gives the thread its context
  const Result<cuda::Device> current = cuda::Device::current();
  if (!current)
    return nullptr; // the first call says why
  const Result<cuda::Target> target = cuda::targetOf(current->major, current->minor);
  if (!target)
    return nullptr;

  KernelSpec spec;
  spec.dtype = dtype == at::kHalf ? DType::F16 : DType::BF16;
  spec.headDim = static_cast<int>(config.headDim);
  spec.headsPerKeyHead = static_cast<int>(config.headsQ / config.headsKv);
  spec.arch = target->arch;
  std::vector<CompileAhead::Job> jobs;
  for (Phase phase : {Phase::Decode, Phase::Forward, Phase::ForwardSm90, Phase::BackwardDq, Phase::BackwardDkDv})
    for (const char *name : {kFullMask, kSlidingMask}) {
      spec.phase = phase;
      if (Result<Mask> mask = Mask::find(name); mask && hasKernel(*mask, spec))
        jobs.push_back({*mask, spec, target->kind});
    }
  return std::make_unique<CompileAhead>(std::move(jobs));
}

} // namespace maskjit
