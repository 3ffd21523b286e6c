// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The JSON header of a safetensors file, checked against the length of the data that follows it.
#pragma once
#include "compiler/Result.h"
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace maskjit::safetensors {

/// Headers beyond this are refused, as the reference library does; it bounds what a hostile file can make us allocate.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kMaxRank = 64;

struct Entry {
  std::string dtype;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0; // in the data
};
struct Header {
  std::map<std::string, Entry> tensors;
  std::map<std::string, std::string> metadata;
};

/// Every tensor has a known dtype, begin <= end <= dataBytes and end - begin = the bytes of its shape; together they
/// cover the data without overlap or hole. Messages are without the file's name.
Result<Header> parseHeader(std::string_view json, uint64_t dataBytes);

/// Bytes of a tensor; an error for an unknown dtype, a negative dimension, or a size past 2^63 - 1.
Result<uint64_t> tensorBytes(std::string_view dtype, const std::vector<int64_t> &shape);

/// Alignment of an element in bytes, at least 1; 1 for an unknown dtype.
uint64_t elementAlignment(std::string_view dtype);

/// `text` in double quotes with JSON's escapes: fit for a message whatever bytes it holds.
std::string quoteName(std::string_view text);

} // namespace maskjit::safetensors
