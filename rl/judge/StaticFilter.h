// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A look at the source before anything runs. It saves time on plain attempts and proves nothing: whatever passes is
// held by the sandbox, the clock and the comparison.
#pragma once
#include "rl/judge/Worker.h"

namespace maskjit::rl {

/// The first forbidden construct, with its line. std::nullopt: none seen.
std::optional<Fault> lookAtSource(Language language, const std::string &source);

/// `source` with comments and the contents of literals blanked; lines stay where they are.
std::string withoutCommentsAndLiterals(Language language, const std::string &source);

} // namespace maskjit::rl
