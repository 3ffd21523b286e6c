// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which running sequences of a cache begin with the same pages.
#pragma once
#include "runtime/step/SharedPrompts.h"

namespace maskjit {

/// `pages[i]` are those of slot slots[i], in order; pages of different sequences are equal only where both read what
/// neither writes. Groups of two and more, each with the whole pages that all of its members begin with, by rising
/// first slot; slots rise in each.
std::vector<SharedGroup> groupByPages(const std::vector<int64_t> &slots,
                                      const std::vector<const std::vector<int32_t> *> &pages, int64_t pageSize);

} // namespace maskjit
