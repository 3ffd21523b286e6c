// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which pages of a cache are in use, and by how many; the host's side alone, no memory of its own.
#pragma once
#include <cstdint>
#include <vector>

namespace maskjit {

/// Pages 1 .. count are handed out. Page 0 is nobody's: what reads or writes the row of an empty slot lands there.
class PagePool {
public:
  explicit PagePool(int64_t count);

  int64_t available() const { return free.size(); }
  /// `count` pages, each with one user. Throws std::runtime_error if there are fewer.
  std::vector<int32_t> take(int64_t count);
  /// One more user for each.
  void share(const std::vector<int32_t> &pages);
  /// One user less for each; a page without users can be taken again.
  void release(const std::vector<int32_t> &pages);

private:
  std::vector<int32_t> free;
  std::vector<int32_t> users; // of each page
};

} // namespace maskjit
