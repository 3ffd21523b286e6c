// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One multiplication to be done: random inputs, the product in double precision, and how far a result may be from it.
//
// Bound of element (i, j):  factor u |row i of A| |column j of B|   (Euclidean norms; u: the unit roundoff)
// The norms make it grow in proportion to the length k of the sum. Elements have mean zero, so partial sums grow like a
// random walk, and the rounding errors of k additions in any order add up to about u times the norms (Higham and Mary,
// SIAM J. Sci. Comput. 42(5), 2020). Plain loops come to 3 of them. The factor leaves room for Strassen's algorithm,
// whose errors grow with each level of its recursion: 32 in float, where programs stop after a few levels (13 after
// four), and 1024 in double, where Python's go down to single elements (70 after six). tf32, fp16 and bf16 miss it at
// every k.
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
