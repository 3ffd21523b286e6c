// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the offsets, shapes and dtypes of a header must satisfy together.
#include "runtime/safetensors/Header.h"
#include "runtime/safetensors/HeaderReader.h"
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace maskjit::safetensors {

namespace {
struct DTypeInfo {
  std::string_view name;
  unsigned bits;
};
constexpr DTypeInfo kDTypes[] = {
    {"BOOL", 8}, {"U8", 8},   {"I8", 8},    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},
    {"U16", 16}, {"F16", 16}, {"BF16", 16}, {"I32", 32},    {"U32", 32},    {"F32", 32},    {"F64", 64},
    {"I64", 64}, {"U64", 64}, {"C64", 64},  {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},
};

unsigned elementBits(std::string_view dtype) {
  for (const DTypeInfo &info : kDTypes)
    if (info.name == dtype)
      return info.bits;
  return 0;
}

Result<void> checkCover(const Header &header, uint64_t dataBytes) {
  std::vector<const std::pair<const std::string, Entry> *> order;
  for (const auto &item : header.tensors)
    order.push_back(&item);
  std::sort(order.begin(), order.end(), [](auto *a, auto *b) {
    return std::tie(a->second.begin, a->second.end) < std::tie(b->second.begin, b->second.end);
  });
  uint64_t cursor = 0;
  const std::string *previous = nullptr;
  for (const auto *item : order) {
    const auto &[name, entry] = *item;
    if (entry.begin < cursor)
      return Error{
          fmt::format("tensors {} and {} overlap: the second starts at byte {} of the data, the first ends at {}",
                      quoteName(*previous), quoteName(name), entry.begin, cursor)};
    if (entry.begin > cursor)
      return Error{fmt::format("bytes {} to {} of the data, before tensor {}, belong to no tensor", cursor, entry.begin,
                               quoteName(name))};
    cursor = entry.end;
    previous = &name;
  }
  if (cursor != dataBytes)
    return Error{
        fmt::format("the last {} bytes of the file belong to no tensor: the tensors end at byte {} of the data, "
                    "the file holds {}",
                    dataBytes - cursor, cursor, dataBytes)};
  return {};
}
} // namespace

std::string quoteName(std::string_view text) {
  constexpr size_t kShown = 200; // a hostile name may be as long as the header
  std::string shown =
      nlohmann::json(text.substr(0, kShown)).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return text.size() > kShown ? shown + "..." : shown;
}

uint64_t elementAlignment(std::string_view dtype) { return std::max(elementBits(dtype) / 8, 1u); }

Result<uint64_t> tensorBytes(std::string_view dtype, const std::vector<int64_t> &shape) {
  const unsigned bits = elementBits(dtype);
  if (!bits) {
    std::vector<std::string_view> known;
    for (const DTypeInfo &info : kDTypes)
      known.push_back(info.name);
    return Error{fmt::format("unknown dtype {}, expected one of {}", quoteName(dtype), fmt::join(known, ", "))};
  }
  // An empty dimension must not hide an overflow of the others: strides are made of them.
  int64_t elements = 1, count = 1;
  for (int64_t dim : shape) {
    if (dim < 0)
      return Error{fmt::format("shape [{}] has a negative dimension", fmt::join(shape, ", "))};
    if (__builtin_mul_overflow(elements, std::max<int64_t>(dim, 1), &elements))
      return Error{fmt::format("shape [{}] has more than 2^63 - 1 elements", fmt::join(shape, ", "))};
    count = dim ? count : 0;
  }
  int64_t totalBits = 0;
  if (__builtin_mul_overflow(elements, static_cast<int64_t>(bits), &totalBits))
    return Error{fmt::format("shape [{}] of {} has more than 2^63 - 1 bits", fmt::join(shape, ", "), dtype)};
  if (totalBits % 8)
    return Error{fmt::format("shape [{}] of {} does not fill whole bytes", fmt::join(shape, ", "), dtype)};
  return count ? static_cast<uint64_t>(totalBits / 8) : 0;
}

Result<Header> parseHeader(std::string_view json, uint64_t dataBytes) {
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &reader))
    return Error{reader.fault.value_or("the header is not JSON")};
  for (const auto &[name, entry] : reader.header.tensors) {
    auto bytes = tensorBytes(entry.dtype, entry.shape);
    if (!bytes)
      return Error{fmt::format("tensor {}: {}", quoteName(name), bytes.error().message)};
    if (entry.begin > entry.end)
      return Error{
          fmt::format("tensor {}: data_offsets [{}, {}] run backwards", quoteName(name), entry.begin, entry.end)};
    if (entry.end - entry.begin != *bytes)
      return Error{fmt::format("tensor {}: shape [{}] of {} takes {} bytes, data_offsets [{}, {}] span {}",
                               quoteName(name), fmt::join(entry.shape, ", "), entry.dtype, *bytes, entry.begin,
                               entry.end, entry.end - entry.begin)};
    if (entry.end > dataBytes)
      return Error{
          fmt::format("tensor {} ends at byte {} of the data, the file holds {}: it is cut off or its header is "
                      "wrong",
                      quoteName(name), entry.end, dataBytes)};
  }
  if (auto covered = checkCover(reader.header, dataBytes); !covered)
    return covered.error();
  return std::move(reader.header);
}

} // namespace maskjit::safetensors
