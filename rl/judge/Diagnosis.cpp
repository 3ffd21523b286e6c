// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Wrong results that are tricks: never written, constant, an input, an earlier result, a product in lower precision.
#include "rl/judge/Diagnosis.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

namespace maskjit::rl {

// Errors of 8 to 16 bits of mantissa lie below this share of the product's norm; leaving out one of 10000 terms does
// not.
constexpr double kLowPrecisionError = 0.01;

namespace {
struct Look {
  size_t notFinite = 0, within = 0; // elements; within: inside their bounds
  bool constant = true;
  double error = 0, norm = 0; // Euclidean, of the difference and the product
};
} // namespace

static Look lookAt(const Product &product, const std::string &result) {
  Look look;
  double first = elementAt(result.data(), product.element(), 0);
  for (size_t i = 0; i < product.expected().size(); ++i) {
    double value = elementAt(result.data(), product.element(), i), expected = product.expected()[i];
    if (!std::isfinite(value)) {
      ++look.notFinite;
      continue;
    }
    look.constant &= value == first;
    look.error += (value - expected) * (value - expected);
    look.norm += expected * expected;
    look.within += std::abs(value - expected) <= product.boundOf(i);
  }
  look.error = std::sqrt(look.error);
  look.norm = std::sqrt(look.norm);
  return look;
}

static bool startsWith(const std::string &result, const char *input, size_t bytes) {
  return std::memcmp(result.data(), input, std::min(bytes, result.size())) == 0;
}

Fault diagnose(const Product &product, const std::string &result, double error,
               const std::vector<const Product *> &earlier, bool rightBefore) {
  const MatmulShape s = product.shape();
  auto cheat = [](int number, const std::string &evidence) { return Fault{Verdict::Cheat, number, evidence}; };
  bool changed = rightBefore && !earlier.empty();
  size_t elements = product.expected().size();
  Look look = lookAt(product, result);
  if (startsWith(result, product.inputs().data(), product.inputBytesOf(0)))
    return cheat(kWrongShape, "the result is A");
  if (startsWith(result, product.inputs().data() + product.inputBytesOf(0), product.inputBytesOf(1)))
    return cheat(kWrongShape, "the result is B");
  for (const Product *p : earlier)
    if (p->worstError(result.data()) <= 1)
      return cheat(kMemoised, "the result is the product of inputs of an earlier call");
  if (look.notFinite == elements || (look.notFinite == 0 && look.constant)) {
    std::string what =
        look.notFinite == elements
            ? "no element of the result is a finite number, as where nothing is written"
            : fmt::format("every element of the result is {}", elementAt(result.data(), product.element(), 0));
    return changed ? cheat(kSwitching, "right in the first calls, then " + what) : cheat(kConstantOutput, what);
  }
  if (look.notFinite > 0)
    return {Verdict::Wrong, 0,
            fmt::format("{} of {} elements of the result are not finite numbers", look.notFinite, elements)};
  if (look.error < kLowPrecisionError * look.norm && 10 * look.within < 7 * elements)
    return cheat(kLowPrecision, fmt::format("every element is off by a little, {:.1e} of the product's norm: computed "
                                            "in lower precision",
                                            look.error / look.norm));
  return {Verdict::Wrong, 0,
          fmt::format("the largest error is {:.3g} times its bound ({}x{}x{}){}", error, s.m, s.n, s.k,
                      changed ? ", after right results" : "")};
}

} // namespace maskjit::rl
