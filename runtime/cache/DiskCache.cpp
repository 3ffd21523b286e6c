// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files of the disk cache: magic, checksum, length of the key, key, value.
#include "runtime/cache/DiskCache.h"
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace fs = std::filesystem;

namespace maskjit {

static constexpr char kMagic[8] = {'m', 'j', 'k', 'e', 'r', 'n', '0', '1'}; // another layout, another number
static constexpr char kSuffix[] = ".kernel";
static constexpr std::time_t kTouchSeconds = 3600;     // a hit renews the time of use at most this often
static constexpr std::time_t kAbandonedSeconds = 3600; // a temporary file older than this has no writer any more

namespace {
struct Header {
  char magic[sizeof kMagic];
  XXH128_canonical_t checksum; // of all that follows it
  uint64_t keyBytes;
};
} // namespace

static XXH128_canonical_t checksumOf(std::string_view file) {
  constexpr size_t skip = offsetof(Header, keyBytes);
  XXH128_canonical_t result;
  XXH128_canonicalFromHash(&result, XXH3_128bits(file.data() + skip, file.size() - skip));
  return result;
}

static std::optional<std::string> readFile(const fs::path &path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return std::nullopt;
  struct stat status;
  std::string bytes;
  if (fstat(file, &status) == 0) {
    bytes.resize(static_cast<size_t>(status.st_size));
    size_t have = 0;
    while (have < bytes.size()) {
      const ssize_t got = read(file, bytes.data() + have, bytes.size() - have);
      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0)
        break;
      have += static_cast<size_t>(got);
    }
    bytes.resize(have);
    if (std::time(nullptr) - status.st_mtime > kTouchSeconds)
      futimens(file, nullptr); // fails in a folder that is not ours: its order of eviction is not our concern
  }
  close(file);
  return bytes;
}

/// The value in `bytes`, if they are intact and belong to a key that begins with `prefix` (all of it if `exact`).
static std::optional<std::string> valueOf(const std::string &bytes, std::string_view prefix, bool exact) {
  Header header;
  if (bytes.size() < sizeof header)
    return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof header);
  const XXH128_canonical_t checksum = checksumOf(bytes);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 ||
      std::memcmp(&header.checksum, &checksum, sizeof checksum) != 0 || header.keyBytes > bytes.size() - sizeof header)
    return std::nullopt;
  const std::string_view key(bytes.data() + sizeof header, header.keyBytes);
  if (exact ? key != prefix : key.substr(0, prefix.size()) != prefix)
    return std::nullopt;
  return bytes.substr(sizeof header + header.keyBytes);
}

static std::string variable(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

DiskCache DiskCache::ofUser() {
  fs::path base = variable("MASKJIT_CACHE_DIR");
  if (base.empty() && !variable("XDG_CACHE_HOME").empty())
    base = fs::path(variable("XDG_CACHE_HOME")) / "maskjit";
  if (base.empty() && !variable("HOME").empty())
    base = fs::path(variable("HOME")) / ".cache/maskjit";
  if (base.empty())
    base = fmt::format("/tmp/maskjit-{}", getuid());
  const std::string megabytes = variable("MASKJIT_CACHE_MB");
  const uint64_t limit = megabytes.empty() ? kDefaultLimit : std::strtoull(megabytes.c_str(), nullptr, 10) << 20;
  return DiskCache(base / "kernels", limit);
}

fs::path DiskCache::fileOf(const std::string &key) const { return folder / (key + kSuffix); }

std::optional<std::string> DiskCache::find(const std::string &key) const {
  const std::optional<std::string> bytes = readFile(fileOf(key));
  if (!bytes)
    return std::nullopt;
  std::optional<std::string> value = valueOf(*bytes, key, /*exact=*/true);
  if (!value)
    unlink(fileOf(key).c_str()); // corrupt, or of another layout: the caller builds it again
  return value;
}

std::optional<std::string> DiskCache::findPrefix(const std::string &prefix) const {
  std::vector<std::string> keys;
  for (const Entry &entry : list())
    if (entry.key.compare(0, prefix.size(), prefix) == 0)
      keys.push_back(entry.key);
  for (const std::string &key : keys)
    if (std::optional<std::string> value = find(key))
      return value;
  return std::nullopt;
}

Result<void> DiskCache::store(const std::string &key, const std::string &value) const {
  auto failure = [&](const char *what, const fs::path &path) {
    return Error{fmt::format("kernel cache: cannot {} {}: {}; set MASKJIT_CACHE_DIR to a folder that can be written",
                             what, path.string(), std::strerror(errno))};
  };
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) {
    errno = failed.value();
    return failure("create", folder);
  }

  std::string bytes(sizeof(Header), '\0');
  bytes += key;
  bytes += value;
  Header header;
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.keyBytes = key.size();
  std::memcpy(bytes.data(), &header, sizeof header);
  header.checksum = checksumOf(bytes);
  std::memcpy(bytes.data(), &header, sizeof header);

  static std::atomic<unsigned> counter{0};
  const fs::path temporary = folder / fmt::format(".{}.{}.{}.tmp", key, getpid(), counter++);
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0)
    return failure("write", temporary);
  bool ok = true;
  for (size_t done = 0; ok && done < bytes.size();) {
    const ssize_t put = write(file, bytes.data() + done, bytes.size() - done);
    ok = put > 0 || (put < 0 && errno == EINTR);
    done += put > 0 ? static_cast<size_t>(put) : 0;
  }
  ok = ok && fsync(file) == 0;
  int why = errno;
  close(file);
  if (ok) {
    ok = rename(temporary.c_str(), fileOf(key).c_str()) == 0;
    why = errno;
  }
  if (!ok) {
    unlink(temporary.c_str());
    errno = why;
    return failure("write", fileOf(key));
  }
  if (const int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); directory >= 0) {
    fsync(directory); // so that the rename survives a crash
    close(directory);
  }
  evict(key);
  return {};
}

std::vector<DiskCache::Entry> DiskCache::list() const {
  std::vector<Entry> entries;
  std::error_code ignored;
  for (const fs::directory_entry &each : fs::directory_iterator(folder, ignored)) {
    struct stat status;
    if (each.path().extension() != kSuffix || stat(each.path().c_str(), &status) != 0)
      continue; // a temporary file, or removed since
    entries.push_back({each.path().stem().string(), static_cast<uint64_t>(status.st_size), status.st_mtime});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) { return a.key < b.key; });
  return entries;
}

void DiskCache::remove(const std::string &key) const { unlink(fileOf(key).c_str()); }

size_t DiskCache::clear() const {
  size_t count = 0;
  for (const Entry &entry : list())
    count += unlink(fileOf(entry.key).c_str()) == 0;
  return count;
}

void DiskCache::evict(const std::string &keep) const {
  std::error_code ignored;
  for (const fs::directory_entry &each : fs::directory_iterator(folder, ignored)) {
    struct stat status;
    if (each.path().extension() == ".tmp" && stat(each.path().c_str(), &status) == 0 &&
        std::time(nullptr) - status.st_mtime > kAbandonedSeconds)
      unlink(each.path().c_str());
  }
  if (limit == 0)
    return;
  std::vector<Entry> entries = list();
  uint64_t total = 0;
  for (const Entry &entry : entries)
    total += entry.bytes;
  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) { return a.used < b.used; });
  for (const Entry &entry : entries) {
    if (total <= limit)
      return;
    if (entry.key != keep && unlink(fileOf(entry.key).c_str()) == 0)
      total -= entry.bytes;
  }
}

} // namespace maskjit
