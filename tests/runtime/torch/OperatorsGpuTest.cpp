// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operators on a GPU: fixtures with gradients, pages, streams and graph capture.
#include "AttentionFixture.h"
#include "GpuPresence.h"
#include "PagedCache.h"
#include "runtime/cache/CompileCounter.h"
#include "runtime/torch/Attention.h"
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

using namespace maskjit;
using test::AttentionFixture;

namespace {

const at::Device kGpu(at::kCUDA, 0);

at::Tensor lengths(const std::vector<int32_t> &values) { return at::tensor(values, at::kInt).to(kGpu); }

AttentionFixture onGpu(const std::string &name, at::ScalarType type) {
  AttentionFixture f = AttentionFixture::load(name, type);
  for (at::Tensor *tensor : {&f.q, &f.k, &f.v, &f.dout})
    *tensor = tensor->to(kGpu);
  for (at::Tensor &param : f.params)
    param = param.to(kGpu);
  if (f.sinks)
    f.sinks = f.sinks->to(kGpu);
  return f;
}

template <class Base> class OnGpu : public Base {
protected:
  void SetUp() override {
    if (!test::gpuPresent())
      GTEST_SKIP() << "needs a gpu";
  }
};
using GpuFixtures = OnGpu<testing::TestWithParam<std::tuple<std::string, at::ScalarType>>>;
using Gpu = OnGpu<testing::Test>;

TEST_P(GpuFixtures, ResultsAndGradients) {
  AttentionFixture f = onGpu(std::get<0>(GetParam()), std::get<1>(GetParam()));
  std::vector<at::Tensor> inputs{f.q.requires_grad_(), f.k.requires_grad_(), f.v.requires_grad_()};
  if (f.sinks)
    inputs.push_back(f.sinks->requires_grad_());
  const auto [out, lse] = attention(f.q, f.k, f.v, f.sinks, f.mask, f.params, f.scale);
  const auto gradients = torch::autograd::grad({out}, inputs, {f.dout});
  // The bounds of the fixtures' README for bf16; fp16 must be no worse.
  EXPECT_TRUE(test::isNear(out, f.out, 0.02, 0.005));
  EXPECT_LE(test::difference(lse, f.lse), 1e-4);
  EXPECT_TRUE(test::isNear(gradients[0], f.dq, 0.05, 0.01));
  EXPECT_TRUE(test::isNear(gradients[1], f.dk, 0.05, 0.01));
  EXPECT_TRUE(test::isNear(gradients[2], f.dv, 0.05, 0.01));
  if (f.sinks)
    EXPECT_TRUE(test::isNear(gradients[3], *f.dsinks, 0.05, 0.01));
}

INSTANTIATE_TEST_SUITE_P(Attention, GpuFixtures,
                         testing::Combine(testing::ValuesIn(AttentionFixture::names()),
                                          testing::Values(at::kBFloat16, at::kHalf)),
                         [](const auto &info) {
                           return std::get<0>(info.param) + "_" + c10::toString(std::get<1>(info.param));
                         });

TEST_F(Gpu, Fp32IsRefused) {
  const at::Tensor q = at::zeros({1, 1, 4, 64}, at::TensorOptions(kGpu).dtype(at::kFloat));
  try {
    attention(q, q, q, std::nullopt, "causal", {});
    FAIL() << "float32 was accepted";
  } catch (const c10::Error &error) {
    EXPECT_THAT(error.what_without_backtrace(), testing::HasSubstr("the CUDA kernels take float16 and bfloat16"));
  }
}

TEST_F(Gpu, PagesEqualContiguousKeys) {
  at::manual_seed(3);
  const at::TensorOptions options = at::TensorOptions(kGpu).dtype(at::kBFloat16);
  for (int64_t queries : {1, 40}) {
    const at::Tensor q = at::randn({3, 8, queries, 64}, options), k = at::randn({3, 2, 301, 64}, options),
                     v = at::randn({3, 2, 301, 64}, options);
    const std::vector<at::Tensor> params{at::scalar_tensor(128, at::kInt).to(kGpu), lengths({300 - 39, 261, 200})};
    const auto [out, lse] = attention(q, k, v, std::nullopt, "gpt_oss_sliding", params);
    const test::PagedCache cache = test::PagedCache::of(k, v, 16);
    const auto [paged, pagedLse] = attention_cached(q, cache.kPages, cache.vPages, cache.pageTable,
                                                    lengths({301, 301, 301}), std::nullopt, "gpt_oss_sliding", params);
    EXPECT_TRUE(test::isNear(paged, out.to(at::kCPU, at::kFloat), 0.02, 0.005)) << queries;
    EXPECT_LE(test::difference(pagedLse, lse.cpu()), 1e-4) << queries;
  }
}

/// A stream's work captured and replayed; the pool keeps its memory while the object lives.
class Capture {
public:
  template <class Body> Capture(c10::cuda::CUDAStream stream, const Body &body) : stream(stream) {
    auto *allocator = c10::cuda::CUDACachingAllocator::get();
    allocator->beginAllocateToPool(0, pool, [&](cudaStream_t s) { return s == stream.stream(); });
    C10_CUDA_CHECK(cudaStreamBeginCapture(stream.stream(), cudaStreamCaptureModeThreadLocal));
    body();
    C10_CUDA_CHECK(cudaStreamEndCapture(stream.stream(), &graph));
    allocator->endAllocateToPool(0, pool);
    C10_CUDA_CHECK(cudaGraphInstantiate(&executable, graph, 0));
  }
  ~Capture() {
    cudaGraphExecDestroy(executable);
    cudaGraphDestroy(graph);
    c10::cuda::CUDACachingAllocator::get()->releasePool(0, pool);
  }
  void replay() { C10_CUDA_CHECK(cudaGraphLaunch(executable, stream.stream())); }

private:
  c10::cuda::CUDAStream stream;
  inline static uint64_t pools = 0;
  c10::MempoolId_t pool{0, ++pools};
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
};

TEST_F(Gpu, CapturedDecodeFollowsItsLengths) {
  at::manual_seed(4);
  const c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();
  c10::cuda::CUDAStreamGuard guard(stream);
  const at::TensorOptions options = at::TensorOptions(kGpu).dtype(at::kBFloat16);
  const at::Tensor q = at::randn({2, 8, 1, 64}, options), k = at::randn({2, 1, 256, 64}, options),
                   v = at::randn({2, 1, 256, 64}, options), sinks = at::randn({8}, options.dtype(at::kFloat));
  const test::PagedCache cache = test::PagedCache::of(k, v, 32);
  at::Tensor length = lengths({1, 1}), offset = lengths({0, 0}), out, lse;
  const auto step = [&] {
    std::tie(out, lse) =
        attention_cached(q, cache.kPages, cache.vPages, cache.pageTable, length, sinks, "gpt_oss_full", {offset});
  };
  step(); // compiles, and copies the defaults to the device
  Capture capture(stream, step);
  const int64_t compiled = compilations();
  for (int32_t n : {1, 2, 31, 32, 33, 200, 256}) {
    length.fill_(n);
    offset.fill_(n - 1);
    capture.replay();
    const auto [want, wantLse] = attention(q, k.narrow(2, 0, n), v.narrow(2, 0, n), sinks, "gpt_oss_full", {offset});
    EXPECT_TRUE(test::isNear(out, want.to(at::kCPU, at::kFloat), 0.02, 0.005)) << n << " keys";
    EXPECT_LE(test::difference(lse, wantLse.cpu()), 1e-4) << n << " keys";
  }
  EXPECT_LE(compilations(), compiled + 1); // `attention` may be another kernel; no length is
}

TEST_F(Gpu, GradientsUnderCapture) {
  at::manual_seed(5);
  const c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();
  c10::cuda::CUDAStreamGuard guard(stream);
  at::Tensor q = at::randn({1, 4, 70, 64}, at::TensorOptions(kGpu).dtype(at::kBFloat16)).requires_grad_();
  at::Tensor k = at::randn_like(q).requires_grad_(), v = at::randn_like(q).requires_grad_();
  const at::Tensor window = at::scalar_tensor(16, at::kInt).to(kGpu), dout = at::randn_like(q);
  std::vector<at::Tensor> gradients;
  const auto step = [&] {
    gradients = torch::autograd::grad({std::get<0>(attention(q, k, v, std::nullopt, "sliding_window", {window}))},
                                      {q, k, v}, {dout});
  };
  step();
  Capture capture(stream, step);
  window.fill_(40);
  capture.replay();
  std::vector<at::Tensor> replayed;
  for (const at::Tensor &gradient : gradients)
    replayed.push_back(gradient.to(at::kCPU, at::kFloat));
  step();
  for (size_t i = 0; i < gradients.size(); ++i)
    EXPECT_EQ(test::difference(gradients[i], replayed[i]), 0) << "qkv"[i];
}

TEST_F(Gpu, FirstCallUnderCaptureIsRefused) {
  const c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();
  c10::cuda::CUDAStreamGuard guard(stream);
  const at::Tensor q = at::zeros({1, 1, 4, 64}, at::TensorOptions(kGpu).dtype(at::kBFloat16));
  C10_CUDA_CHECK(cudaStreamBeginCapture(stream.stream(), cudaStreamCaptureModeThreadLocal));
  std::string message;
  try {
    attention(q, q, q, std::nullopt, "global_tokens", {});
  } catch (const c10::Error &error) {
    message = error.what_without_backtrace();
  }
  cudaGraph_t graph = nullptr;
  (void)cudaStreamEndCapture(stream.stream(), &graph);
  if (graph)
    cudaGraphDestroy(graph);
  EXPECT_THAT(message, testing::HasSubstr("call it once before"));
}

} // namespace
