// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Safetensors files: 8-byte little-endian header length, JSON header, data. Headers are untrusted input.
#pragma once
#include "compiler/Result.h"
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace maskjit {

/// A tensor of a file; `data` stays valid as long as the file object (or, for writing, the caller's memory).
struct TensorRecord {
  std::string dtype;          // "F32", "BF16", "F16", "F64", "I64", "I32", "I16", "I8", "U8", "BOOL", ...
  std::vector<int64_t> shape; // row-major
  const void *data = nullptr;
  size_t bytes = 0;
};

/// A mapped file, never written to. What is written to its memory stays in this process. A file that is cut off while
/// it is mapped ends the process with SIGBUS when the memory of what is gone is touched; `read` gives an error then.
class SafetensorsFile {
public:
  /// Checks length, JSON, dtypes, shapes, offsets, overlaps and overflow; each fault has its own message.
  static Result<SafetensorsFile> open(const std::string &path);
  const std::map<std::string, TensorRecord> &tensors() const;
  const std::map<std::string, std::string> &metadata() const;
  /// Null if there is none of that name.
  const TensorRecord *find(const std::string &name) const;
  /// Copies bytes [begin, begin + bytes) of a tensor of this file to `to` by reading the file: no page of the mapping
  /// is touched, which for a large tensor costs more than the copy. Threads may call it at once.
  Result<void> read(const TensorRecord &record, size_t begin, size_t bytes, void *to) const;
  /// Whether the record is one of this file's.
  bool holds(const TensorRecord &record) const;

private:
  struct Impl;
  std::shared_ptr<const Impl> impl;
};

/// Writes a file atomically: temporary file, fsync, rename.
Result<void> writeSafetensors(const std::string &path, const std::map<std::string, TensorRecord> &tensors,
                              const std::map<std::string, std::string> &metadata = {});

} // namespace maskjit
