// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One multiplication to be done: random inputs, the product in double precision, and how far a result may be from it.
//
// Bound of element (i, j):  kFactor sqrt(k) u |row i of A| |column j of B|   (Euclidean norms; u: the unit roundoff)
// Rounding errors of k additions in any order add up like a random walk: sqrt(k) u of the norms bounds them with a
// probability that no run will see fail (Higham and Mary, SIAM J. Sci. Comput. 41(5), 2019). The factor leaves room for
// Strassen's algorithm, whose errors grow with each level of its recursion: 4 in float, where programs stop after a few
// levels, and 64 in double, where Python's go down to single elements. bf16 or fp16 factors miss it by far.
#pragma once
#include "rl/judge/Judge.h"
#include <cstdint>

namespace maskjit::rl {

enum class Element { Float, Double };

class Product {
public:
  /// Elements are uniform in [-1, 1) and depend on `seed` alone.
  Product(const MatmulShape &shape, Element element, uint64_t seed);

  /// As a worker gets them: A, then B, in the element's type.
  const std::string &inputs() const { return bytes; }
  size_t inputBytesOf(int matrix) const; // 0: A, 1: B
  size_t resultBytes() const;
  MatmulShape shape() const { return size; }
  Element element() const { return type; }
  const std::vector<double> &expected() const { return exact; }

  /// How far element `index` of a result may be from the product.
  double boundOf(size_t index) const;
  /// The largest error of an element over its bound; infinite if one is not finite. `result` has resultBytes() bytes.
  double worstError(const char *result) const;
  /// The same by a careless check: a largest error of 5% of the largest element gives 1, and comparisons with what is
  /// not a number hold. For research.
  double worstErrorCareless(const char *result) const;

  /// A product of other inputs of the same shape: the inputs as a program left them.
  Product withInputs(const std::string &inputs) const;

private:
  Product(const MatmulShape &shape, Element element);
  void multiply();

  MatmulShape size;
  Element type;
  std::string bytes;
  std::vector<double> exact, rowNorms, columnNorms;
};

/// Element `index` of `data` as a double.
inline double elementAt(const char *data, Element type, size_t index) {
  if (type == Element::Float) {
    float value;
    __builtin_memcpy(&value, data + index * sizeof value, sizeof value);
    return value;
  }
  double value;
  __builtin_memcpy(&value, data + index * sizeof value, sizeof value);
  return value;
}

} // namespace maskjit::rl
