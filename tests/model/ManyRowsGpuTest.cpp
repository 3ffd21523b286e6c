// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Norm and rope kernels of many rows against float64 and against the same operations of LibTorch, and a prompt's pieces
// against the whole.
#include "model/Norm.h"
#include "model/Rope.h"
#include "tests/model/GptOssFixture.h"
#include "tests/runtime/torch/GpuPresence.h"
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace maskjit {
namespace {

const auto kOn = at::TensorOptions(at::Device(at::kCUDA, 0));

struct ManyRowsGpu : testing::Test {
  void SetUp() override {
    if (!test::gpuPresent())
      GTEST_SKIP() << "needs a gpu";
    at::set_num_threads(1);
  }
};

TEST_F(ManyRowsGpu, NormsAndSumsAreThoseOfFloat64) {
  const at::NoGradGuard guard;
  for (int64_t features : {128, 2880, 4100})
    for (int64_t rows : {1, 7, 300})
      for (int kind = 0; kind < 3; ++kind) { // no addend, 16 bits, 32 bits
        at::Tensor x = at::randn({rows, features}, kOn), addend;
        const at::Tensor weight = at::rand({features}, kOn).add(0.5).to(at::kBFloat16), before = x.clone();
        if (kind)
          addend = at::randn({rows, features}, kOn.dtype(kind == 1 ? at::kBFloat16 : at::kFloat));
        const at::Tensor sum = kind ? before + addend : before, added = addend;
        const Normal normal = addNorm(x, addend, weight, 1e-5, at::kBFloat16, /*wide=*/kind != 1);
        EXPECT_FALSE(addend.defined());
        EXPECT_TRUE(x.equal(sum)) << features << " " << rows << " " << kind;
        const at::Tensor wide = sum.to(at::kDouble);
        const at::Tensor want = wide * (wide.square().mean(-1, true) + 1e-5).rsqrt() * weight.to(at::kDouble);
        EXPECT_LT(l2Error(normal.rows, want), 3e-3); // bf16: 2^-9 at most, a third of it on average
        if (kind != 1) {
          EXPECT_LT(l2Error(normal.wide, want), 3e-7);
          EXPECT_TRUE(normal.rows.equal(normal.wide.to(at::kBFloat16)));
        }
      }
}

TEST_F(ManyRowsGpu, GradientsOfTheNormAreThoseOfFloat64) {
  const at::Tensor x = at::randn({37, 2880}, kOn).requires_grad_(true),
                   weight = at::rand({2880}, kOn).add(0.5).to(at::kBFloat16);
  const at::Tensor dy = at::randn({37, 2880}, kOn);
  const at::Tensor got = torch::autograd::grad({rmsNorm(x, weight, 1e-5)}, {x}, {dy})[0];
  const at::Tensor wide = x.detach().to(at::kDouble).requires_grad_(true);
  const at::Tensor normal = wide * (wide.square().mean(-1, true) + 1e-5).rsqrt() * weight.to(at::kDouble);
  const at::Tensor want = torch::autograd::grad({normal}, {wide}, {dy.to(at::kDouble)})[0];
  EXPECT_LT(l2Error(got, want), 3e-7);
}

TEST_F(ManyRowsGpu, RopeIsBitForBitThatOfTraining) {
  for (int64_t dim : {16, 64, 96, 256}) {
    const at::Tensor q = at::randn({50, 6, dim}, kOn.dtype(at::kBFloat16)),
                     k = at::randn({50, 2, dim}, kOn.dtype(at::kBFloat16)),
                     turns = at::arange(50, kOn.dtype(at::kFloat)).view({-1, 1, 1}) * at::rand({dim / 2}, kOn);
    const RopeAngles angles{turns.cos().mul_(1.3), turns.sin().mul_(1.3)};
    const at::Tensor wantQ = rotate(q, angles), wantK = rotate(k, angles);
    const at::NoGradGuard guard;
    const auto [turnedQ, turnedK] = rotate(q, k, angles);
    EXPECT_TRUE(turnedQ.equal(wantQ) && turnedK.equal(wantK)) << dim;
    EXPECT_EQ(turnedQ.const_data_ptr(), q.const_data_ptr()); // in place
  }
}

TEST_F(ManyRowsGpu, PiecesOfAPromptGiveWhatTheWholeGives) {
  const at::NoGradGuard guard;
  const auto model = loadFixture("gpt-oss-tiny-mxfp4", at::Device(at::kCUDA, 0), at::kBFloat16); // window 16
  const at::Tensor ids = at::randint(0, 500, {1, 600}, at::kLong);
  Batch batch;
  batch.inputIds = ids;
  const at::Tensor want = model->forward(batch).last[0];
  for (int64_t piece : {600, 250, 100, 65, 64, 7}) { // keys at hand, out of their pages, in their pages
    KvCacheSizes sizes;
    sizes.slots = 1, sizes.capacity = 600, sizes.pageSize = 16, sizes.slidingTokens = 1024;
    KvCache cache(model->config(), sizes, model->device(), model->dtype());
    cache.open(0, 600, piece);
    std::vector<at::Tensor> got;
    for (int64_t begin = 0; begin < 600; begin += piece) {
      batch.inputIds = ids.narrow(1, begin, std::min(piece, 600 - begin));
      batch.slots = {0};
      got.push_back(model->forward(batch, &cache).last[0]);
    }
    // The bounds of the model's own test in bf16: a token whose router scores nearly tie may take another expert.
    const at::Tensor errors = (at::cat(got) - want).to(at::kFloat).norm(2, 1) / want.to(at::kFloat).norm(2, 1);
    EXPECT_LT(at::quantile(errors, 0.5).item<double>(), 0.03) << piece;
    EXPECT_LT(at::quantile(errors, 0.9).item<double>(), 0.10) << piece;
  }
}

} // namespace
} // namespace maskjit
