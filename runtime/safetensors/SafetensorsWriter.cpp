// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes a safetensors file under a temporary name and renames it, so that a reader sees the old file or the whole new
// one.
#include "runtime/safetensors/Header.h"
#include "runtime/safetensors/Safetensors.h"
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace maskjit {

namespace {
using Item = const std::pair<const std::string, TensorRecord> *;

/// A file that exists under its own name only after commit().
class PendingFile {
public:
  explicit PendingFile(const std::string &path) : path(path) {
    static std::atomic<unsigned> counter{0};
    temporary = fmt::format("{}.tmp-{}-{}", path, ::getpid(), counter++);
    fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  }
  PendingFile(const PendingFile &) = delete;
  ~PendingFile() {
    if (fd < 0)
      return;
    ::close(fd);
    if (!committed)
      ::unlink(temporary.c_str());
  }

  Result<void> write(const void *data, size_t bytes) {
    if (fd < 0)
      return failure("create");
    const char *at = static_cast<const char *>(data);
    while (bytes) {
      const ssize_t n = ::write(fd, at, std::min<size_t>(bytes, 1 << 30)); // the kernel takes less than 2 GiB a call
      if (n < 0 && errno != EINTR)
        return failure("write");
      if (n > 0) {
        at += n;
        bytes -= n;
      }
    }
    return {};
  }

  Result<void> commit() {
    if (fd < 0)
      return failure("create");
    if (::fsync(fd))
      return failure("flush");
    if (::rename(temporary.c_str(), path.c_str()))
      return failure("rename");
    committed = true;
    // The rename itself lasts once the folder is on disk; some file systems refuse to sync a folder, which is no
    // failure.
    const size_t slash = path.rfind('/');
    const std::string folder = slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    if (const int dir = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); dir >= 0) {
      ::fsync(dir);
      ::close(dir);
    }
    return {};
  }

private:
  Result<void> failure(const char *what) {
    return Error{fmt::format("{}: cannot {} its temporary file {}: {}", path, what, temporary, std::strerror(errno))};
  }
  std::string path, temporary;
  int fd = -1;
  bool committed = false;
};

Result<void> checkRecord(const std::string &name, const TensorRecord &record) {
  if (name == "__metadata__")
    return Error{"a tensor cannot be called __metadata__; pass the metadata instead"};
  if (record.shape.size() > safetensors::kMaxRank)
    return Error{fmt::format("tensor {}: shape has more than {} dimensions", safetensors::quoteName(name),
                             safetensors::kMaxRank)};
  auto bytes = safetensors::tensorBytes(record.dtype, record.shape);
  if (!bytes)
    return Error{fmt::format("tensor {}: {}", safetensors::quoteName(name), bytes.error().message)};
  if (*bytes != record.bytes)
    return Error{fmt::format("tensor {}: its shape of {} takes {} bytes, {} given", safetensors::quoteName(name),
                             record.dtype, *bytes, record.bytes)};
  if (record.bytes && !record.data)
    return Error{fmt::format("tensor {}: {} bytes, but no data", safetensors::quoteName(name), record.bytes)};
  return {};
}
} // namespace

Result<void> writeSafetensors(const std::string &path, const std::map<std::string, TensorRecord> &tensors,
                              const std::map<std::string, std::string> &metadata) {
  std::vector<Item> order;
  for (const auto &item : tensors) {
    if (auto checked = checkRecord(item.first, item.second); !checked)
      return Error{fmt::format("{}: {}", path, checked.error().message)};
    order.push_back(&item);
  }
  // Wide elements first: each tensor is then aligned to its own element.
  std::sort(order.begin(), order.end(), [](Item a, Item b) {
    const uint64_t wideA = safetensors::elementAlignment(a->second.dtype);
    const uint64_t wideB = safetensors::elementAlignment(b->second.dtype);
    return wideA != wideB ? wideA > wideB : a->first < b->first;
  });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (Item item : order) {
    const TensorRecord &record = item->second;
    header[item->first] = {
        {"dtype", record.dtype}, {"shape", record.shape}, {"data_offsets", {offset, offset + record.bytes}}};
    offset += record.bytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::type_error &) { // thrown for strings alone
    return Error{fmt::format("{}: a tensor's name or the metadata is not UTF-8", path)};
  }
  text.resize((text.size() + 7) / 8 * 8, ' '); // the data starts at a multiple of 8
  if (text.size() > safetensors::kMaxHeaderBytes)
    return Error{
        fmt::format("{}: its header takes {} bytes, the limit is {}", path, text.size(), safetensors::kMaxHeaderBytes)};
  unsigned char length[8];
  for (int i = 0; i < 8; ++i)
    length[i] = static_cast<unsigned char>(text.size() >> 8 * i);

  PendingFile file(path);
  if (auto written = file.write(length, sizeof length); !written)
    return written;
  if (auto written = file.write(text.data(), text.size()); !written)
    return written;
  for (Item item : order)
    if (auto written = file.write(item->second.data, item->second.bytes); !written)
      return written;
  return file.commit();
}

} // namespace maskjit
