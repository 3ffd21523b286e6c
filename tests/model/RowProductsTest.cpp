// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products by group against LibTorch's in double precision, and their independence of the rows beside.
#include "model/RowProducts.h"
#include "tests/model/TensorFile.h"
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

namespace maskjit {
namespace {

// 32-bit sums of at most 100 terms of size 1: 100 * 2^-24, doubled.
constexpr double kRounding = 1.2e-5;

struct Groups {
  std::vector<int64_t> counts = {5, 0, 1, 300, 8}; // none, one, a block, more than a chunk
  at::Tensor rows, weight, bias;

  Groups(int64_t in, int64_t out, bool transposed) {
    rows = at::randn({314, in}, at::kDouble);
    weight = transposed ? at::randn({5, out, in}, at::kDouble).transpose(1, 2) : at::randn({5, in, out}, at::kDouble);
    bias = at::randn({5, out}, at::kDouble);
  }
  at::Tensor expected() const {
    std::vector<at::Tensor> parts;
    int64_t begin = 0;
    for (size_t g = 0; g < counts.size(); begin += counts[g++])
      parts.push_back(at::addmm(bias[g], rows.narrow(0, begin, counts[g]), weight[g]));
    return at::cat(parts);
  }
  void require() {
    for (at::Tensor *tensor : {&rows, &weight, &bias})
      tensor->requires_grad_(true);
  }
};

TEST(RowProducts, AreTheProductsOfEachGroup) {
  for (auto [in, out] : {std::pair<int64_t, int64_t>{64, 128}, {100, 31}, {1, 33}, {7, 1}, {96, 32}})
    for (bool transposed : {false, true}) {
      const Groups g(in, out, transposed);
      const at::Tensor got =
          multiplyGroups(g.rows.to(at::kFloat), g.weight.to(at::kFloat), g.bias.to(at::kFloat), g.counts);
      EXPECT_LT(maxError(got, g.expected()), kRounding) << in << " x " << out << (transposed ? " transposed" : "");
    }
}

TEST(RowProducts, HaveTheirGradients) {
  Groups want(40, 24, false);
  Groups got = want;
  got.rows = want.rows.to(at::kFloat), got.weight = want.weight.to(at::kFloat), got.bias = want.bias.to(at::kFloat);
  want.require(), got.require();
  const at::Tensor dy = at::randn({314, 24}, at::kDouble);
  (want.expected() * dy).sum().backward();
  (multiplyGroups(got.rows, got.weight, got.bias, got.counts) * dy.to(at::kFloat)).sum().backward();
  EXPECT_LT(l2Error(got.rows.grad(), want.rows.grad()), kRounding);
  EXPECT_LT(l2Error(got.weight.grad(), want.weight.grad()), kRounding);
  EXPECT_LT(l2Error(got.bias.grad(), want.bias.grad()), kRounding);
}

TEST(RowProducts, ARowIsTheSameToTheLastBitAlone) {
  const at::Tensor rows = at::randn({301, 120}), weight = at::randn({70, 120}), bias = at::randn({70});
  const at::Tensor all = multiplyRows(rows, weight, bias);
  for (int64_t row : {0, 1, 7, 8, 150, 255, 256, 299, 300})
    EXPECT_TRUE(multiplyRows(rows.narrow(0, row, 1), weight, bias)[0].equal(all[row])) << row;
  EXPECT_TRUE(multiplyRows(rows.narrow(0, 3, 40), weight, bias).equal(all.narrow(0, 3, 40)));
}

} // namespace
} // namespace maskjit
