// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/step/SharedDecode.h"
#include "compiler/SharedDecode.h"
#include <fmt/format.h>

namespace maskjit {

KernelRequest sharedDecodeRequest(const Mask &mask, const KernelSpec &spec) {
  KernelRequest request;
  request.name = mask.name() + "_shared";
  request.structure =
      fmt::format("shared decode {} {} {} D {} group {}", mask.digest(), spec.dtype == DType::F16 ? "f16" : "bf16",
                  spec.arch, spec.headDim, spec.headsPerKeyHead);
  request.spec = spec;
  request.key = [=] { return sharedDecodeKey(mask, spec); };
  request.emit = [=] { return emitSharedDecode(mask, spec); };
  return request;
}

} // namespace maskjit
