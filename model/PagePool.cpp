// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Counts of users, and a stack of free pages: the one freed last is taken first.
#include "model/PagePool.h"
#include <fmt/format.h>
#include <stdexcept>

namespace maskjit {

PagePool::PagePool(int64_t count) : users(count + 1, 0) {
  for (int64_t page = count; page > 0; --page)
    free.push_back(page);
}

std::vector<int32_t> PagePool::take(int64_t count) {
  if (count > available())
    throw std::runtime_error(fmt::format("the KV cache has {} free pages, {} are needed; give it room for more tokens "
                                         "or run fewer sequences at once",
                                         available(), count));
  std::vector<int32_t> pages(free.rbegin(), free.rbegin() + count);
  free.resize(free.size() - count);
  share(pages);
  return pages;
}

void PagePool::share(const std::vector<int32_t> &pages) {
  for (int32_t page : pages)
    ++users[page];
}

void PagePool::release(const std::vector<int32_t> &pages) {
  for (size_t i = pages.size(); i-- > 0;)
    if (--users[pages[i]] == 0)
      free.push_back(pages[i]);
}

} // namespace maskjit
