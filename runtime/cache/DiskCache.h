// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels on disk, shared by processes.
//
// 1. A file is complete or absent: it is written under another name, synced, then renamed.
// 2. What `find` returns is what `store` got: a checksum covers key and value. A file that fails it is removed.
// 3. No lock: two processes that store the same key write the same kernel, and the last rename wins.
// 4. Above the limit the files that were used longest ago go first; a removed file that a reader has open stays
// readable.
#pragma once
#include "compiler/Result.h"
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <vector>

namespace maskjit {

class DiskCache {
public:
  static constexpr uint64_t kDefaultLimit = uint64_t(2) << 30; // bytes; thousands of kernels

  /// `limit` in bytes; 0: none.
  explicit DiskCache(std::filesystem::path folder, uint64_t limit = kDefaultLimit)
      : folder(std::move(folder)), limit(limit) {}

  /// Kernels of this user: $MASKJIT_CACHE_DIR, else $XDG_CACHE_HOME/maskjit, else ~/.cache/maskjit, else in /tmp; in
  /// its subfolder `kernels`. $MASKJIT_CACHE_MB sets the limit.
  static DiskCache ofUser();

  /// The value, or nothing where there is none that is intact. `key` consists of letters, digits, '.', '-' and '_'.
  std::optional<std::string> find(const std::string &key) const;
  /// The first intact value, in the order of names, whose key begins with `prefix`.
  std::optional<std::string> findPrefix(const std::string &prefix) const;
  /// Creates the folder if need be.
  Result<void> store(const std::string &key, const std::string &value) const;

  struct Entry {
    std::string key;
    uint64_t bytes = 0;
    std::time_t used = 0; // last hit, to the hour
  };
  std::vector<Entry> list() const;
  void remove(const std::string &key) const;
  /// Removes every entry and returns their number.
  size_t clear() const;

  const std::filesystem::path &path() const { return folder; }

private:
  std::filesystem::path fileOf(const std::string &key) const;
  void evict(const std::string &keep) const;

  std::filesystem::path folder;
  uint64_t limit;
};

} // namespace maskjit
