// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors of a file as the numbers that attention computes in.
#pragma once
#include "compiler/Compiler.h"
#include "runtime/safetensors/Safetensors.h"
#include <cstddef>
#include <string_view>
#include <vector>

namespace maskjit {

size_t elementBytes(DType dtype);
/// "F32", "F16", "BF16".
const char *safetensorsName(DType dtype);
/// The reverse, in either case; empty if it is none of the three.
std::optional<DType> dtypeNamed(std::string_view name);

/// Element counts of a shape, multiplied; 1 for a scalar.
int64_t elementCount(const std::vector<int64_t> &shape);
/// "[2, 8, 16]".
std::string shapeText(const std::vector<int64_t> &shape);

/// Any floating-point or integer tensor as fp32; the error names `name` and its dtype.
Result<std::vector<float>> toFloats(const std::string &name, const TensorRecord &tensor);
/// A floating-point tensor rounded to nearest even into `dtype`.
Result<std::vector<std::byte>> toDType(const std::string &name, const TensorRecord &tensor, DType dtype);
/// An integer tensor as int32, each element within [min, max].
Result<std::vector<int32_t>> toIntegers(const std::string &name, const TensorRecord &tensor, int64_t min, int64_t max);

} // namespace maskjit
