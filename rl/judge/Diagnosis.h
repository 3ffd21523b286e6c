// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a result that is not the product betrays: the judge knows what it asked before, and what it put into the output.
#pragma once
#include "rl/judge/Worker.h"

namespace maskjit::rl {

/// Of a result outside its bound. `earlier`: products that the same program was asked for before, oldest first;
/// `rightBefore`: whether all of those were right.
Fault diagnose(const Product &product, const std::string &result, double error,
               const std::vector<const Product *> &earlier, bool rightBefore);

} // namespace maskjit::rl
