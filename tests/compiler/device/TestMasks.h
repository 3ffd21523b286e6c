// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Masks written by hand in the form that the compiler generates, each beside its meaning for the reference.
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace maskjit::test {

/// The values of a mask's parameters: values[i][b] for a scalar, arrays have all sequences one after the other.
struct MaskValues {
  std::vector<std::vector<int>> values;
  std::vector<int> sizes; // along the parameter's axis
  int at(int param, int b, int i = 0) const;
};

struct TestMask {
  std::string name;
  std::string device; // the text of `struct Mask`
  int paramCount;
  std::function<bool(const MaskValues &, int b, int h, int q, int k)> attends;
  // Null: the mask does not score.
  std::function<double(double s, int b, int h, int q, int k)> score, scoreGrad;
};

/// 0 <= q + offset - k < window, and neither q + offset nor k before pad; one interval a row and a column.
const TestMask &windowMask();
/// The same predicate with nothing derived from it.
const TestMask &opaqueWindowMask();
/// A window, or the first `window` keys: rows with holes, tiles known to be empty between them.
const TestMask &globalMask();
/// Documents by a sorted array, causal; softcap 20.
const TestMask &documentsMask();
/// A window that grows with the head, ALiBi.
const TestMask &headMask();

} // namespace maskjit::test
