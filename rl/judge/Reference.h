// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The kernel that programs are measured against, where the options name no other: the plain triple loop.
#pragma once
#include "rl/judge/Judge.h"

namespace maskjit::rl {

const char *referenceSource(Language language);
MatmulShape defaultShape(Language language);

} // namespace maskjit::rl
