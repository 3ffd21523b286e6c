// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Maps a safetensors file and checks its frame: the length field, the header, the data.
#include "runtime/safetensors/Header.h"
#include "runtime/safetensors/Safetensors.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace maskjit {

namespace {
/// A whole file in memory and its descriptor. Its length is compared with the header once, when it is opened.
class Mapping {
public:
  static Result<std::shared_ptr<const Mapping>> open(const std::string &path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a named pipe must not block here
    if (fd < 0)
      return Error{fmt::format("{}: cannot open: {}", path, std::strerror(errno))};
    auto mapping = std::make_shared<Mapping>();
    mapping->fd = fd;
    if (Result<void> mapped = mapping->map(fd, path); !mapped)
      return mapped.error();
    return std::shared_ptr<const Mapping>(std::move(mapping));
  }
  Mapping() = default;
  Mapping(const Mapping &) = delete;
  ~Mapping() {
    if (base)
      ::munmap(base, size);
    if (fd >= 0)
      ::close(fd);
  }
  Result<void> read(const char *at, size_t bytes, char *to) const {
    for (size_t offset = at - static_cast<const char *>(base); bytes;) {
      const ssize_t n = ::pread(fd, to, std::min<size_t>(bytes, 1 << 30), offset);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return Error{fmt::format("cannot read {} bytes at offset {}: {}", bytes, offset,
                                 n ? std::strerror(errno) : "the file has become shorter")};
      to += n, offset += n, bytes -= n;
    }
    return {};
  }
  std::string_view bytes() const { return {static_cast<const char *>(base), size}; }

private:
  Result<void> map(int fd, const std::string &path) {
    struct stat info;
    if (::fstat(fd, &info))
      return Error{fmt::format("{}: cannot read its length: {}", path, std::strerror(errno))};
    if (!S_ISREG(info.st_mode))
      return Error{fmt::format("{}: not a regular file", path)};
    if (info.st_size < 8)
      return Error{fmt::format("{}: has {} bytes, a safetensors file starts with 8 bytes of header length", path,
                               static_cast<int64_t>(info.st_size))};
    // Writable, so that memory handed out may be changed as any other: the process then gets its own copy of the page,
    // the file stays as it is. Without reserve, since such copies are few and a file may be larger than the memory.
    void *address = ::mmap(nullptr, info.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
    if (address == MAP_FAILED)
      return Error{
          fmt::format("{}: cannot map {} bytes: {}", path, static_cast<int64_t>(info.st_size), std::strerror(errno))};
    base = address;
    size = info.st_size;
    return {};
  }
  void *base = nullptr;
  size_t size = 0;
  int fd = -1;
};
} // namespace

struct SafetensorsFile::Impl {
  std::shared_ptr<const Mapping> mapping;
  std::map<std::string, TensorRecord> tensors;
  std::map<std::string, std::string> metadata;
  std::string path;
};

Result<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  auto mapping = Mapping::open(path);
  if (!mapping)
    return mapping.error();
  const std::string_view bytes = (*mapping)->bytes();
  uint64_t headerBytes = 0;
  for (int i = 7; i >= 0; --i)
    headerBytes = headerBytes << 8 | static_cast<unsigned char>(bytes[i]);
  if (headerBytes > safetensors::kMaxHeaderBytes)
    return Error{
        fmt::format("{}: its first 8 bytes give a header of {} bytes, the limit is {}: not a safetensors file?", path,
                    headerBytes, safetensors::kMaxHeaderBytes)};
  if (headerBytes > bytes.size() - 8)
    return Error{fmt::format("{}: its first 8 bytes give a header of {} bytes, only {} follow: the file is cut off",
                             path, headerBytes, bytes.size() - 8)};
  const std::string_view data = bytes.substr(8 + headerBytes);
  auto header = safetensors::parseHeader(bytes.substr(8, headerBytes), data.size());
  if (!header)
    return Error{fmt::format("{}: {}", path, header.error().message)};

  auto impl = std::make_shared<Impl>();
  for (auto &[name, entry] : header->tensors)
    impl->tensors[name] = {entry.dtype, entry.shape, data.data() + entry.begin, entry.end - entry.begin};
  impl->metadata = std::move(header->metadata);
  impl->mapping = std::move(*mapping);
  impl->path = path;
  SafetensorsFile file;
  file.impl = std::move(impl);
  return file;
}

const std::map<std::string, TensorRecord> &SafetensorsFile::tensors() const { return impl->tensors; }
const std::map<std::string, std::string> &SafetensorsFile::metadata() const { return impl->metadata; }

bool SafetensorsFile::holds(const TensorRecord &record) const {
  const std::string_view bytes = impl->mapping->bytes();
  const char *data = static_cast<const char *>(record.data);
  return data >= bytes.data() && data <= bytes.data() + bytes.size();
}

Result<void> SafetensorsFile::read(const TensorRecord &record, size_t begin, size_t bytes, void *to) const {
  if (!holds(record) || begin > record.bytes || bytes > record.bytes - begin)
    return Error{
        fmt::format("{}: bytes {} to {} are not those of one of its tensors", impl->path, begin, begin + bytes)};
  Result<void> done =
      impl->mapping->read(static_cast<const char *>(record.data) + begin, bytes, static_cast<char *>(to));
  if (!done)
    return Error{fmt::format("{}: {}", impl->path, done.error().message)};
  return {};
}

const TensorRecord *SafetensorsFile::find(const std::string &name) const {
  auto it = impl->tensors.find(name);
  return it == impl->tensors.end() ? nullptr : &it->second;
}

} // namespace maskjit
