// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checked arithmetic on linear forms.
#include "compiler/analysis/LinearForm.h"
#include "llvm/Support/MathExtras.h"

using namespace maskjit;

LinearForm LinearForm::ofConstant(int64_t value) {
  LinearForm form;
  form.constant = value;
  return form;
}

LinearForm LinearForm::ofTerm(TermId term, int64_t coefficient) {
  LinearForm form;
  form.terms.push_back({term, coefficient});
  return form;
}

int64_t LinearForm::coefficient(TermId term) const {
  for (auto [each, coefficient] : terms)
    if (each == term)
      return coefficient;
  return 0;
}

/// a + factor * b; INT64_MIN counts as an overflow, so that every coefficient can be negated.
static std::optional<int64_t> multiplyAdd(int64_t a, int64_t b, int64_t factor) {
  int64_t product = 0, sum = 0;
  if (llvm::MulOverflow(b, factor, product) || llvm::AddOverflow(a, product, sum) || sum == INT64_MIN)
    return std::nullopt;
  return sum;
}

std::optional<LinearForm> maskjit::addScaled(const LinearForm &a, const LinearForm &b, int64_t factor) {
  LinearForm sum;
  auto constant = multiplyAdd(a.constant, b.constant, factor);
  if (!constant)
    return std::nullopt;
  sum.constant = *constant;
  for (auto left = a.terms.begin(), right = b.terms.begin(); left != a.terms.end() || right != b.terms.end();) {
    bool takeLeft = right == b.terms.end() || (left != a.terms.end() && left->first <= right->first);
    bool takeRight = left == a.terms.end() || (right != b.terms.end() && right->first <= left->first);
    TermId term = takeLeft ? left->first : right->first;
    auto coefficient = multiplyAdd(takeLeft ? left++->second : 0, takeRight ? right++->second : 0, factor);
    if (!coefficient)
      return std::nullopt;
    if (*coefficient != 0)
      sum.terms.push_back({term, *coefficient});
  }
  return sum;
}
