// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Conversions between the dtypes of safetensors files and those of attention.
#include "runtime/tools/TensorConversion.h"
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

namespace maskjit {
namespace {

float floatOfBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
uint32_t bitsOfFloat(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

float floatOfHalf(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 0x3ff;
  if (exponent == 31)
    return floatOfBits(sign | 0x7f800000 | mantissa << 13);
  if (exponent == 0) // a subnormal counts in steps of 2^-24
    return std::copysign(std::ldexp(float(mantissa), -24), floatOfBits(sign | 0x3f800000));
  return floatOfBits(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t halfOfFloat(float value) {
  const uint16_t sign = bitsOfFloat(value) >> 16 & 0x8000;
  if (std::isnan(value))
    return sign | 0x7e00;
  const float magnitude = std::fabs(value);
  if (magnitude >= 65520.f) // half way to the next power, and beyond
    return sign | 0x7c00;
  if (magnitude < 6.103515625e-05f) // 2^-14: subnormal; nearbyint rounds to even
    return sign | uint16_t(std::nearbyint(std::ldexp(magnitude, 24)));
  const uint32_t bits = bitsOfFloat(magnitude) - (uint32_t(112) << 23);
  return sign | uint16_t((bits + 0xfff + (bits >> 13 & 1)) >> 13);
}

uint16_t bfloatOfFloat(float value) {
  const uint32_t bits = bitsOfFloat(value);
  if (std::isnan(value))
    return uint16_t(bits >> 16 | 0x40);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// Calls fn(index, value) for each element stored as T, which may lie unaligned.
template <class T, class F> void forEach(const TensorRecord &tensor, F fn) {
  const auto *bytes = static_cast<const std::byte *>(tensor.data);
  const int64_t count = elementCount(tensor.shape);
  for (int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    fn(i, value);
  }
}

/// The same for any integer dtype, as int64; false if the dtype is none.
template <class F> bool forEachInteger(const TensorRecord &tensor, F fn) {
  auto widen = [&](int64_t i, auto value) { fn(i, int64_t(value)); };
  if (tensor.dtype == "I64")
    return forEach<int64_t>(tensor, widen), true;
  if (tensor.dtype == "I32")
    return forEach<int32_t>(tensor, widen), true;
  if (tensor.dtype == "I16")
    return forEach<int16_t>(tensor, widen), true;
  if (tensor.dtype == "I8")
    return forEach<int8_t>(tensor, widen), true;
  if (tensor.dtype == "U8" || tensor.dtype == "BOOL")
    return forEach<uint8_t>(tensor, widen), true;
  return false;
}

} // namespace

size_t elementBytes(DType dtype) { return dtype == DType::F32 ? 4 : 2; }

const char *safetensorsName(DType dtype) { return dtype == DType::F32 ? "F32" : dtype == DType::F16 ? "F16" : "BF16"; }

std::optional<DType> dtypeNamed(std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return char(std::toupper(c)); });
  for (DType dtype : {DType::F32, DType::F16, DType::BF16})
    if (upper == safetensorsName(dtype))
      return dtype;
  return std::nullopt;
}

int64_t elementCount(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

std::string shapeText(const std::vector<int64_t> &shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Result<std::vector<float>> toFloats(const std::string &name, const TensorRecord &tensor) {
  std::vector<float> result(elementCount(tensor.shape));
  if (tensor.dtype == "F32")
    forEach<float>(tensor, [&](int64_t i, float value) { result[i] = value; });
  else if (tensor.dtype == "F64")
    forEach<double>(tensor, [&](int64_t i, double value) { result[i] = float(value); });
  else if (tensor.dtype == "F16")
    forEach<uint16_t>(tensor, [&](int64_t i, uint16_t value) { result[i] = floatOfHalf(value); });
  else if (tensor.dtype == "BF16")
    forEach<uint16_t>(tensor, [&](int64_t i, uint16_t value) { result[i] = floatOfBits(uint32_t(value) << 16); });
  else if (!forEachInteger(tensor, [&](int64_t i, int64_t value) { result[i] = float(value); }))
    return Error{fmt::format("error: '{}' is {}; expected F32, BF16, F16 or F64", name, tensor.dtype)};
  return result;
}

Result<std::vector<std::byte>> toDType(const std::string &name, const TensorRecord &tensor, DType dtype) {
  std::vector<std::byte> result(elementCount(tensor.shape) * elementBytes(dtype));
  if (tensor.dtype == safetensorsName(dtype)) {
    std::memcpy(result.data(), tensor.data, result.size());
    return result;
  }
  auto floats = toFloats(name, tensor);
  if (!floats)
    return floats.error();
  if (dtype == DType::F32) {
    std::memcpy(result.data(), floats->data(), result.size());
    return result;
  }
  for (size_t i = 0; i < floats->size(); ++i) {
    const uint16_t bits = dtype == DType::F16 ? halfOfFloat((*floats)[i]) : bfloatOfFloat((*floats)[i]);
    std::memcpy(result.data() + 2 * i, &bits, 2);
  }
  return result;
}

Result<std::vector<int32_t>> toIntegers(const std::string &name, const TensorRecord &tensor, int64_t min, int64_t max) {
  std::vector<int32_t> result(elementCount(tensor.shape));
  std::optional<std::pair<int64_t, int64_t>> outside;
  const bool integers = forEachInteger(tensor, [&](int64_t i, int64_t value) {
    if ((value < min || value > max) && !outside)
      outside = {i, value};
    result[i] = int32_t(value);
  });
  if (!integers)
    return Error{fmt::format("error: '{}' is {}; expected integers (I32, I64, I16, I8 or U8)", name, tensor.dtype)};
  if (outside)
    return Error{fmt::format("error: '{}' must lie in {}..{}, got {} (element {})", name, min, max, outside->second,
                             outside->first)};
  return result;
}

} // namespace maskjit
