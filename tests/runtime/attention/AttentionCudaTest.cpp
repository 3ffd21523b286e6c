// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The CUDA target on a GPU: what the fixtures do not reach. Skipped where there is no driver.
#include "runtime/attention/CudaFromHost.h"
#include "runtime/cache/CompileCounter.h"
#include "runtime/launch/DeviceMemory.h"
#include "tests/runtime/attention/AttentionCase.h"
#include <fmt/format.h>
#include <gmock/gmock.h>

namespace maskjit::test {
namespace {

using Ints = std::vector<int32_t>;

Mask shipped(const std::string &name) {
  Result<Mask> mask = Mask::find(name);
  EXPECT_TRUE(mask) << mask.error().message;
  return *mask;
}

class AttentionCuda : public testing::Test {
protected:
  void SetUp() override {
    if (!cuda::Driver::load())
      GTEST_SKIP() << "no gpu: " << cuda::Driver::load().error().message;
    if (auto opened = cuda::useDevice(0); !opened)
      GTEST_SKIP() << "no gpu: " << opened.error().message;
  }
  void TearDown() override { unsetenv("MASKJIT_ARCH"); }
};

/// A random case on the GPU.
AttentionCase onGpu(const std::string &mask, DType dtype, int64_t batch, int64_t headsQ, int64_t headsKv, int64_t lenQ,
                    int64_t lenK, int64_t headDim, uint64_t seed, int64_t gap = 0, bool seqFirst = false) {
  AttentionCase c(shipped(mask), dtype, batch, headsQ, headsKv, lenQ, lenK, headDim, gap, seqFirst);
  c.target = Target::Cuda;
  c.fillNormal(seed);
  std::mt19937_64 random(seed + 1);
  std::normal_distribution<float> normal;
  for (int64_t h = 0; h < headsQ; ++h)
    c.sinks.push_back(normal(random));
  return c;
}

// Bounds as the fixtures' README has them for bf16.
void expectOutput(const AttentionCase &c, const Gradients &want) {
  EXPECT_LE(relativeNorm(c.out.values(), want.out), 0.005);
  EXPECT_LE(worstDifference(c.lse, want.lse), 1e-4);
}
void expectGradients(const AttentionCase &c, const Gradients &want) {
  EXPECT_LE(relativeNorm(c.dq.values(), want.dq), 0.01);
  EXPECT_LE(relativeNorm(c.dk.values(), want.dk), 0.01);
  EXPECT_LE(relativeNorm(c.dv.values(), want.dv), 0.01);
  EXPECT_LE(relativeNorm(c.dsinks, want.dsinks), 0.01);
}

TEST_F(AttentionCuda, AnyRatioOfHeadsAnyHeadDimAnyStrides) {
  const std::pair<int64_t, int64_t> heads[] = {{4, 4}, {6, 2}, {8, 1}, {5, 1}};
  int i = 0;
  for (int64_t headDim : {32, 64, 96, 128, 256})
    for (auto [headsQ, headsKv] : heads) {
      SCOPED_TRACE(fmt::format("D {}, {} and {} heads", headDim, headsQ, headsKv));
      AttentionCase c = onGpu(i % 2 ? "gpt_oss_sliding" : "gpt_oss_full", i % 3 ? DType::BF16 : DType::F16, 2, headsQ,
                              headsKv, 70 + i, 90 + i, headDim, 100 + i, i % 2 ? 3 : 8, i % 4 > 1);
      c.setParam("q_offset", Ints{20, 5});
      c.setParam("left_pad", Ints{0, 11});
      if (i % 2)
        c.setParam("window", Ints{33});
      ++i;
      c.forward();
      c.backward();
      const Gradients want = c.reference();
      expectOutput(c, want);
      expectGradients(c, want);
    }
}

TEST_F(AttentionCuda, AThousandDecodeStepsCompileNothingAfterTheFirst) {
  int64_t afterFirst = -1;
  for (int step = 0; step < 1000; ++step) {
    const int64_t batch = 1 + step % 3, lenK = 16 + step;
    AttentionCase c = onGpu("gpt_oss_sliding", DType::BF16, batch, 8, 2, 1, lenK, 64, step);
    std::vector<int32_t> offset, pad;
    for (int64_t b = 0; b < batch; ++b) {
      offset.push_back(static_cast<int32_t>(lenK - 1 - b));
      pad.push_back(static_cast<int32_t>(b * step / 50));
    }
    c.setParam("q_offset", offset);
    c.setParam("left_pad", pad);
    c.setParam("window", Ints{128});
    c.forward();
    if (afterFirst < 0)
      afterFirst = compilations();
    ASSERT_EQ(compilations(), afterFirst) << "step " << step;
    if (step % 97 == 0)
      expectOutput(c, c.reference());
  }
}

TEST_F(AttentionCuda, LengthsOffsetsAndBatchesOfTrainingCompileNothingAfterTheFirst) {
  int64_t afterFirst = -1;
  for (int64_t length : {129, 130, 200, 257, 96}) {
    AttentionCase c = onGpu("gpt_oss_full", DType::BF16, 1 + length % 2, 8, 2, length, length, 64, length);
    c.forward();
    c.backward();
    if (afterFirst < 0)
      afterFirst = compilations();
    EXPECT_EQ(compilations(), afterFirst);
    const Gradients want = c.reference();
    expectOutput(c, want);
    expectGradients(c, want);
  }
}

// Few queries take the split-key kernel, many the forward kernel; both read keys through the table.
TEST_F(AttentionCuda, PagesHoldTheSameKeys) {
  constexpr int64_t kPage = 16;
  for (int64_t lenQ : {1, 3, 150}) {
    SCOPED_TRACE(lenQ);
    const int64_t lenK = 400, pagesEach = lenK / kPage;
    AttentionCase c = onGpu("gpt_oss_full", DType::BF16, 2, 4, 2, lenQ, lenK, 64, 7 + lenQ);
    c.kvLen = {400, 333};
    c.setParam("q_offset", Ints{static_cast<int32_t>(400 - lenQ), static_cast<int32_t>(333 - lenQ)});
    std::vector<int32_t> table(2 * pagesEach);
    for (size_t i = 0; i < table.size(); ++i)
      table[i] = static_cast<int32_t>(i);
    std::shuffle(table.begin(), table.end(), std::mt19937(3));
    HostTensor kPages(DType::BF16, 2 * pagesEach, 2, kPage, 64), vPages(DType::BF16, 2 * pagesEach, 2, kPage, 64);
    for (auto [pages, from] : {std::pair{&kPages, &c.k}, {&vPages, &c.v}})
      from->forEach([&, pages = pages, from = from](int64_t b, int64_t h, int64_t s, int64_t d) {
        pages->set(table[b * pagesEach + s / kPage], h, s % kPage, d, from->get(b, h, s, d));
      });
    AttentionArgs args = c.args();
    args.k = kPages.view;
    args.v = vPages.view;
    args.pages.table = table.data();
    args.pages.tableStride = pagesEach;
    args.pages.pageSize = kPage;
    const Result<void> done = attentionForwardCudaFromHost(c.mask, args);
    ASSERT_TRUE(done) << done.error().message;
    expectOutput(c, c.reference());
  }
}

// Kernels of older architectures from their PTX.
TEST_F(AttentionCuda, OlderArchitecturesRunFromPtx) {
  for (const char *arch : {"sm_75", "sm_80"}) {
    SCOPED_TRACE(arch);
    setenv("MASKJIT_ARCH", arch, 1);
    for (int64_t lenQ : {1, 130}) {
      AttentionCase c = onGpu("gpt_oss_sliding", DType::F16, 2, 4, 1, lenQ, 130, 64, 11);
      c.setParam("q_offset", Ints{static_cast<int32_t>(130 - lenQ)});
      c.setParam("window", Ints{40});
      c.forward();
      c.backward();
      const Gradients want = c.reference();
      expectOutput(c, want);
      expectGradients(c, want);
    }
  }
}

TEST_F(AttentionCuda, Bf16IsRefusedOnTuringWithTheWayOut) {
  setenv("MASKJIT_ARCH", "sm_75", 1);
  AttentionCase c = onGpu("causal", DType::BF16, 1, 1, 1, 4, 4, 64, 1);
  const Result<void> done = attentionForwardCudaFromHost(c.mask, c.args());
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, testing::HasSubstr("convert q, k and v to fp16"));
}

// A captured call reads parameters when it is replayed.
TEST_F(AttentionCuda, AGraphFollowsItsParameters) {
  const cuda::Driver &driver = *cuda::Driver::load();
  for (int64_t lenQ : {1, 100}) {
    SCOPED_TRACE(lenQ);
    AttentionCase c = onGpu("gpt_oss_sliding", DType::BF16, 1, 4, 1, lenQ, 300, 64, 5);
    AttentionArgs args = c.args();
    cuda::DeviceMemory memory;
    auto up = [&](const HostTensor &t) { return *memory.upload(t.memory.data(), t.memory.size()); };
    args.q.data = up(c.q), args.k.data = up(c.k), args.v.data = up(c.v), args.out.data = up(c.out);
    args.lse = static_cast<float *>(*memory.upload(c.lse.data(), c.lse.size() * 4));
    args.sinks = static_cast<float *>(*memory.upload(c.sinks.data(), c.sinks.size() * 4));
    for (ParamValues &values : args.params)
      values.data = *memory.upload(values.data, 4);
    CudaContext context;
    cuda::Stream stream = nullptr;
    ASSERT_EQ(driver.streamCreate(&stream, cuda::kStreamNonBlocking), 0);
    context.stream = stream;
    context.user = *memory.allocate(1 << 22); // a capture cannot allocate
    context.allocate = [](size_t bytes, void *user) { return bytes <= 1 << 22 ? user : nullptr; };
    const Result<void> warm = attentionForwardCuda(c.mask, args, context);
    ASSERT_TRUE(warm) << warm.error().message;
    cuda::Graph graph = nullptr;
    cuda::GraphExec exec = nullptr;
    ASSERT_EQ(driver.streamSynchronize(stream), 0);
    ASSERT_EQ(driver.streamBeginCapture(stream, cuda::kCaptureThreadLocal), 0);
    const Result<void> captured = attentionForwardCuda(c.mask, args, context);
    ASSERT_TRUE(captured) << captured.error().message;
    ASSERT_EQ(driver.streamEndCapture(stream, &graph), 0);
    ASSERT_EQ(driver.graphInstantiate(&exec, graph, 0), 0);
    for (int32_t offset : {0, 77, 200}) {
      for (size_t i = 0; i < c.mask.params().size(); ++i)
        if (c.mask.params()[i].name == "q_offset") {
          ASSERT_EQ(driver.memcpyHtoD(reinterpret_cast<cuda::DevicePtr>(args.params[i].data), &offset, 4), 0);
        }
      ASSERT_EQ(driver.graphLaunch(exec, stream), 0);
      ASSERT_EQ(driver.streamSynchronize(stream), 0);
      ASSERT_TRUE(memory.download(c.out.memory.data(), args.out.data, c.out.memory.size()));
      ASSERT_TRUE(memory.download(c.lse.data(), args.lse, c.lse.size() * 4));
      c.setParam("q_offset", Ints{offset});
      expectOutput(c, c.reference());
    }
    driver.graphExecDestroy(exec);
    driver.graphDestroy(graph);
    driver.streamDestroy(stream);
  }
}

TEST_F(AttentionCuda, BackwardRepeatsBitForBit) {
  AttentionCase c = onGpu("gpt_oss_full", DType::BF16, 2, 8, 2, 300, 300, 64, 21);
  c.forward();
  c.backward();
  const std::vector<float> dq = c.dq.values(), dk = c.dk.values(), dv = c.dv.values(), dsinks = c.dsinks;
  for (int i = 0; i < 3; ++i) {
    c.backward();
    EXPECT_EQ(c.dq.values(), dq);
    EXPECT_EQ(c.dk.values(), dk);
    EXPECT_EQ(c.dv.values(), dv);
    EXPECT_EQ(c.dsinks, dsinks);
  }
}

} // namespace
} // namespace maskjit::test
