// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// GenerateOptions::batchInvariant on a GPU: a sequence is bit for bit what it is alone, by the compiled step and by the
// forward pass.
#include "model/Decoder.h"
#include "model/Generate.h"
#include "tests/model/GptOssFixture.h"
#include "tests/runtime/torch/GpuPresence.h"
#include <algorithm>
#include <gtest/gtest.h>

namespace maskjit {
namespace {

struct BatchInvarianceGpu : testing::TestWithParam<const char *> {};
INSTANTIATE_TEST_SUITE_P(Checkpoints, BatchInvarianceGpu, testing::Values("gpt-oss-tiny-mxfp4", "gpt-oss-tiny-bf16"));

TEST_P(BatchInvarianceGpu, ASequenceIsWhatItIsAlone) {
  if (!test::gpuPresent())
    GTEST_SKIP() << "needs a gpu";
  const auto model = loadFixture(GetParam(), at::Device(at::kCUDA, 0), at::kBFloat16);
  std::vector<std::vector<int64_t>> prompts;
  for (int64_t length : {3, 40, 1, 17, 300, 40, 90, 5, 64}) { // shorter and longer than the window of 16
    prompts.emplace_back();
    for (int64_t i = 0; i < length; ++i)
      prompts.back().push_back((13 * length + 7 * i + int64_t(prompts.size())) % 490);
  }
  GenerateOptions options;
  options.batchInvariant = true;
  options.maxNewTokens = 40;
  options.sampling.seed = 5;
  for (int64_t token = 0; token < 512; token += 9) // sequences end at different steps
    options.stopTokens.push_back(token);
  for (int64_t slots : {1, 4, 12}) {
    options.slots = slots;
    std::vector<uint64_t> &numbers = options.sequences;
    std::vector<Generation> alone;
    for (size_t i = 0; i < prompts.size(); ++i) {
      numbers = {i};
      alone.push_back(generate(*model, {prompts[i]}, options)[0]);
    }
    for (bool reversed : {false, true}) {
      numbers.resize(prompts.size());
      for (size_t i = 0; i < prompts.size(); ++i)
        numbers[i] = reversed ? prompts.size() - 1 - i : i;
      std::vector<std::vector<int64_t>> order = prompts;
      if (reversed)
        std::reverse(order.begin(), order.end());
      const std::vector<Generation> got = generate(*model, order, options);
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(got[i].tokens, alone[numbers[i]].tokens) << slots << " slots, prompt " << numbers[i];
        EXPECT_EQ(got[i].logProbs, alone[numbers[i]].logProbs) << slots << " slots, prompt " << numbers[i];
      }
    }
  }
}

} // namespace
} // namespace maskjit
