// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An embedding in host memory: the same numbers from the forward pass and the compiled step, less on the device.
#include "model/Generate.h"
#include "model/HostMemory.h"
#include "model/PinnedRing.h"
#include "tests/model/GptOssFixture.h"
#include "tests/runtime/torch/GpuPresence.h"
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

namespace maskjit {
namespace {

const at::Device kGpu(at::kCUDA, 0);

struct HostMemoryGpu : testing::Test {
  void SetUp() override {
    if (!test::gpuPresent())
      GTEST_SKIP() << "needs a gpu";
    at::set_num_threads(1);
  }
  static std::shared_ptr<GptOss> load(const char *name, bool onHost) {
    LoadOptions options;
    options.embeddingOnHost = onHost;
    return GptOss::load(fixture(name), kGpu, at::kBFloat16, options);
  }
  static bool isHost(const at::Tensor &tensor) {
    cudaPointerAttributes attributes{};
    EXPECT_EQ(cudaPointerGetAttributes(&attributes, tensor.const_data_ptr()), cudaSuccess);
    return attributes.type == cudaMemoryTypeHost;
  }
};

TEST_F(HostMemoryGpu, IsReadAndWrittenFromBothSides) {
  HostMemory memory({3, 5}, at::kFloat, kGpu);
  memory.host.copy_(at::arange(15, at::kFloat).view({3, 5}));
  EXPECT_TRUE((memory.device + 1).to(at::kCPU).equal(memory.host + 1));
  memory.device.mul_(2);
  cudaDeviceSynchronize();
  EXPECT_EQ(memory.host[2][4].item<float>(), 28);
  const at::Tensor kept = memory.device;
  memory = HostMemory({1}, at::kFloat, kGpu); // the view keeps its memory
  EXPECT_EQ(kept.to(at::kCPU)[2][4].item<float>(), 28);
}

TEST_F(HostMemoryGpu, EmbeddingsGiveTheSame) {
  for (const char *name : {"gpt-oss-tiny-bf16", "gpt-oss-tiny-mxfp4"}) {
    const auto host = load(name, true), device = load(name, false);
    EXPECT_TRUE(isHost(host->weights().embedding));
    EXPECT_FALSE(isHost(device->weights().embedding));
    EXPECT_FALSE(isHost(host->weights().head.dense()));
    EXPECT_TRUE(host->weights().embedding.to(at::kCPU).equal(device->weights().embedding.to(at::kCPU)));
    const at::NoGradGuard guard;
    const Batch batch = batchOf(TensorFile(std::string("golden/") + name + "/logits.safetensors"), "left");
    EXPECT_TRUE(host->forward(batch).last.equal(device->forward(batch).last)) << name;
    GenerateOptions options;
    options.maxNewTokens = 20, options.ignoreStops = true; // of mxfp4 the compiled step
    const std::vector<std::vector<int64_t>> prompts = {{1, 2, 3}, {4, 5, 6, 7, 8}};
    const auto got = generate(*host, prompts, options), want = generate(*device, prompts, options);
    for (size_t i = 0; i < prompts.size(); ++i) {
      EXPECT_EQ(got[i].tokens, want[i].tokens) << name;
      EXPECT_EQ(got[i].logProbs, want[i].logProbs) << name;
    }
  }
}

TEST_F(HostMemoryGpu, EmbeddingsAreSaved) {
  TemporaryFolder folder;
  const auto host = load("gpt-oss-tiny-bf16", true);
  host->save(folder.path);
  const auto again = GptOss::load(folder.path, kGpu, at::kBFloat16);
  EXPECT_TRUE(again->weights().embedding.equal(host->weights().embedding));
}

TEST_F(HostMemoryGpu, RingsCarryMoreThanTheyHold) {
  PinnedRing ring{at::Device(at::kCUDA)}; // without a number: the current one, as the tools name it
  const int64_t count = 40 * PinnedRing::kPiece / 8 + 3; // more pieces than a ring of 16 threads has, and a part
  at::Tensor to = at::zeros({count}, at::TensorOptions(at::kLong).device(kGpu));
  for (int64_t round = 0; round < 2; ++round) {
    ring.copy(to.mutable_data_ptr(), to.nbytes(), [&](int64_t begin, int64_t bytes, char *memory) {
      auto *words = reinterpret_cast<int64_t *>(memory);
      for (int64_t i = 0; i < bytes / 8; ++i)
        words[i] = begin / 8 + i + round;
    });
    EXPECT_TRUE(to.equal(at::arange(round, count + round, to.options()))) << round;
  }
  EXPECT_THROW(ring.copy(to.mutable_data_ptr(), to.nbytes(),
                         [&](int64_t begin, int64_t, char *) {
                           if (begin > 0)
                             throw std::runtime_error("cut off");
                         }),
               std::runtime_error);
}

} // namespace
} // namespace maskjit
