// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The kernel of compiler/SharedDecode.h as the cache knows it.
#pragma once
#include "runtime/cache/KernelCache.h"

namespace maskjit {

KernelRequest sharedDecodeRequest(const Mask &mask, const KernelSpec &spec);

} // namespace maskjit
