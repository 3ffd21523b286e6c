// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "model/SharedPages.h"
#include <algorithm>
#include <map>

namespace maskjit {

std::vector<SharedGroup> groupByPages(const std::vector<int64_t> &slots,
                                      const std::vector<const std::vector<int32_t> *> &pages, int64_t pageSize) {
  struct Group {
    const std::vector<int32_t> *pages;
    size_t pagesAlike;
    std::vector<int64_t> slots;
  };
  std::vector<Group> groups;
  std::map<int32_t, size_t> byFirstPage; // number of the group
  for (size_t i = 0; i < slots.size(); ++i) {
    const std::vector<int32_t> &mine = *pages[i];
    if (mine.empty())
      continue;
    const auto [at, fresh] = byFirstPage.insert({mine[0], groups.size()});
    if (fresh) {
      groups.push_back({&mine, mine.size(), {slots[i]}});
      continue;
    }
    Group &group = groups[at->second];
    const size_t most = std::min(group.pagesAlike, mine.size());
    group.pagesAlike = std::mismatch(mine.begin(), mine.begin() + most, group.pages->begin()).first - mine.begin();
    group.slots.push_back(slots[i]);
  }
  std::vector<SharedGroup> shared;
  for (const Group &group : groups)
    if (group.slots.size() > 1)
      shared.push_back({static_cast<int64_t>(group.pagesAlike) * pageSize, group.slots});
  return shared;
}

} // namespace maskjit
