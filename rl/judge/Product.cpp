// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random inputs and their product in double precision.
#include "rl/judge/Product.h"
#include <algorithm>
#include <cmath>
#include <limits>

// The compiler makes a version for each of these instruction sets; the loader picks one.
#if defined(__x86_64__)
#define MASKJIT_CLONES __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512")))
#else
#define MASKJIT_CLONES
#endif

namespace maskjit::rl {

constexpr double kFloatFactor = 32, kDoubleFactor = 1024;

/// SplitMix64 (Steele, Lea, Flood 2014): enough for inputs that nobody may foresee without the seed.
static uint64_t nextRandom(uint64_t &state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// Adds a k x n panel's share to one row of the product: c += a b.
MASKJIT_CLONES static void addRow(const double *a, const double *b, double *c, int n, int k) {
  for (int p = 0; p < k; ++p)
    for (int j = 0; j < n; ++j)
      c[j] += a[p] * b[size_t(p) * size_t(n) + size_t(j)];
}

Product::Product(const MatmulShape &shape, Element element) : size(shape), type(element) {}

Product::Product(const MatmulShape &shape, Element element, uint64_t seed) : Product(shape, element) {
  bytes.resize(inputBytesOf(0) + inputBytesOf(1));
  size_t count = bytes.size() / (type == Element::Float ? sizeof(float) : sizeof(double));
  for (size_t i = 0; i < count; ++i) {
    uint64_t bits = nextRandom(seed);
    if (type == Element::Float) {
      float value = float(int32_t(bits >> 40) - (1 << 23)) / float(1 << 23);
      __builtin_memcpy(&bytes[i * sizeof value], &value, sizeof value);
    } else {
      double value = double(int64_t(bits >> 11) - (int64_t(1) << 52)) / double(int64_t(1) << 52);
      __builtin_memcpy(&bytes[i * sizeof value], &value, sizeof value);
    }
  }
  multiply();
}

Product Product::withInputs(const std::string &inputs) const {
  Product other(size, type);
  other.bytes = inputs;
  other.multiply();
  return other;
}

size_t Product::inputBytesOf(int matrix) const {
  size_t count = matrix == 0 ? size_t(size.m) * size_t(size.k) : size_t(size.k) * size_t(size.n);
  return count * (type == Element::Float ? sizeof(float) : sizeof(double));
}

size_t Product::resultBytes() const {
  return size_t(size.m) * size_t(size.n) * (type == Element::Float ? sizeof(float) : sizeof(double));
}

void Product::multiply() {
  auto m = size_t(size.m), n = size_t(size.n), k = size_t(size.k);
  std::vector<double> a(m * k), b(k * n);
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = elementAt(bytes.data(), type, i);
  for (size_t i = 0; i < b.size(); ++i)
    b[i] = elementAt(bytes.data(), type, a.size() + i);
  exact.assign(m * n, 0);
  // A panel of B of a few hundred kilobytes stays in the core's cache for all rows.
  constexpr size_t kPanel = 64;
  for (size_t p = 0; p < k; p += kPanel)
    for (size_t i = 0; i < m; ++i)
      addRow(&a[i * k + p], &b[p * n], &exact[i * n], size.n, int(std::min(kPanel, k - p)));
  rowNorms.assign(m, 0);
  columnNorms.assign(n, 0);
  for (size_t i = 0; i < a.size(); ++i)
    rowNorms[i / k] += a[i] * a[i];
  for (size_t i = 0; i < b.size(); ++i)
    columnNorms[i % n] += b[i] * b[i];
  for (double &x : rowNorms)
    x = std::sqrt(x);
  for (double &x : columnNorms)
    x = std::sqrt(x);
}

double Product::boundOf(size_t index) const {
  double u = type == Element::Float ? std::numeric_limits<float>::epsilon() / 2 * kFloatFactor
                                    : std::numeric_limits<double>::epsilon() / 2 * kDoubleFactor;
  auto n = size_t(size.n);
  return u * rowNorms[index / n] * columnNorms[index % n];
}

double Product::worstError(const char *result) const {
  double worst = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    double value = elementAt(result, type, i);
    if (!std::isfinite(value))
      return std::numeric_limits<double>::infinity();
    worst = std::max(worst, std::abs(value - exact[i]) / boundOf(i));
  }
  return worst;
}

double Product::worstErrorCareless(const char *result) const {
  double largest = 0, worst = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    largest = std::max(largest, std::abs(exact[i]));
    double difference = std::abs(elementAt(result, type, i) - exact[i]);
    if (difference > worst) // false for what is not a number
      worst = difference;
  }
  return worst / (0.05 * largest);
}

} // namespace maskjit::rl
