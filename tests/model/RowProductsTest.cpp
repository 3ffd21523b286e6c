// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products by group against LibTorch's in double precision, and their independence of the rows beside.
#include "model/RowProducts.h"
#include "tests/model/PackedFixture.h"
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

/// Products and gradients of packed weights are those of their dense values, bit for bit.
void expectSameAsDense(const Matrix &packed, const std::vector<int64_t> &counts, const std::string &name) {
  int64_t rows = 0;
  for (int64_t count : counts)
    rows += count;
  const int64_t in = packed.inputs(), out = packed.outputs();
  at::Tensor x = at::randn({rows, in}), bias = at::randn({packed.matrices(), out});
  const at::Tensor dy = at::randn({rows, out});
  std::vector<at::Tensor> y, dx, db;
  for (const Matrix &weight : {packed, Matrix(packed.toDense(at::kFloat, /*stack=*/true))}) {
    at::Tensor xs = x.clone().requires_grad_(true), bs = bias.clone().requires_grad_(true);
    y.push_back(multiplyGroups(xs, weight, bs, counts));
    (y.back() * dy).sum().backward();
    dx.push_back(xs.grad()), db.push_back(bs.grad());
  }
  EXPECT_TRUE(y[0].equal(y[1])) << name;
  EXPECT_TRUE(dx[0].equal(dx[1])) << name;
  EXPECT_TRUE(db[0].equal(db[1])) << name;
}

TEST(RowProducts, OfMxfp4AreThoseOfItsValues) {
  const TensorFile file("mxfp4.safetensors");
  for (const std::string name : {"48x64", "20x160"})
    for (const std::vector<int64_t> &counts : {std::vector<int64_t>{3, 300}, {0, 1}})
      expectSameAsDense(Mxfp4{file[name + ".blocks"], file[name + ".scales"]}, counts, name);
  expectSameAsDense(randomMxfp4(5, 96, 70, 1, at::kCPU), {2, 0, 17, 1, 9}, "random");
}

TEST(RowProducts, OfNf4AreThoseOfItsValues) {
  const TensorFile file("nf4.safetensors");
  for (const std::string &name : nf4Cases(file)) {
    Nf4 weight = nf4Of(file, name);
    for (at::ScalarType rounding : {at::kFloat, at::kBFloat16, at::kHalf}) {
      weight.rounding = rounding;
      expectSameAsDense(weight, {19}, name);
    }
  }
}

TEST(RowProducts, OfPackedFixturesAreTheReferences) {
  const TensorFile nf4("nf4.safetensors"), mxfp4("mxfp4.safetensors");
  const auto check = [](const Matrix &weight, const TensorFile &file, const std::string &name) {
    at::Tensor x = file[name + ".x"].to(at::kFloat).clone().requires_grad_(true);
    const std::vector<int64_t> all = {x.size(0)};
    const at::Tensor y = multiplyGroups(x, weight, {}, all);
    (y * file[name + ".dy"].to(at::kFloat)).sum().backward();
    EXPECT_LT(maxError(y, file[name + ".y"]), 1e-5) << name; // the fixtures' README
    EXPECT_LT(maxError(x.grad(), file[name + ".dx"]), 1e-5) << name;
  };
  for (const std::string &name : nf4Cases(nf4))
    check(nf4Of(nf4, name), nf4, name);
  for (const std::string name : {"48x64", "20x160"})
    check(Mxfp4{mxfp4[name + ".blocks"].narrow(0, 0, 1), mxfp4[name + ".scales"].narrow(0, 0, 1)}, mxfp4, name);
}

} // namespace
} // namespace maskjit
