// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A weight matrix, or a stack of them, as it is held in memory: dense, MXFP4 or NF4. What is packed stays packed.
#pragma once
#include "model/Quantized.h"
#include <variant>

namespace maskjit {

/// Dense projections are [out, in] and dense stacks of experts [E, in, out], as Hugging Face spells them; packed ones
/// are always [E, out, in] with E = 1 for a projection.
class Matrix {
public:
  Matrix() = default;
  Matrix(at::Tensor dense) : value(std::move(dense)) {}
  Matrix(Mxfp4 packed) : value(std::move(packed)) {}
  Matrix(Nf4 packed) : value(std::move(packed)) {}

  bool defined() const { return packed() || std::get<at::Tensor>(value).defined(); }
  bool packed() const { return value.index() != 0; }
  const Mxfp4 *mxfp4() const { return std::get_if<Mxfp4>(&value); } // null if it is held otherwise
  const Nf4 *nf4() const { return std::get_if<Nf4>(&value); }
  /// The tensor of a dense one; throws std::runtime_error if it is packed.
  const at::Tensor &dense() const;
  at::Tensor &dense();

  int64_t matrices() const; // 1 for a projection
  int64_t outputs() const;
  int64_t inputs() const;
  size_t bytes() const; // as held
  at::Device device() const;

  /// Matrix `index` as [in, out] of `dtype`: of a dense one a view where the dtype allows; of a packed one a copy.
  at::Tensor inOut(int64_t index, at::ScalarType dtype) const;
  /// All of it as a dense tensor of `dtype`: [out, in], of a stack [E, in, out].
  at::Tensor toDense(at::ScalarType dtype, bool stack) const;
  Matrix to(at::Device device) const;

private:
  std::variant<at::Tensor, Mxfp4, Nf4> value;
};

} // namespace maskjit
