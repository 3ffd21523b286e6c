// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Removing what was derived from a mask makes a kernel slower, never different.
#include "tests/runtime/attention/KernelRun.h"
#include <gtest/gtest.h>

namespace maskjit::test {
namespace {

/// The module's functions: name without the mask's, and text up to the next one.
std::vector<std::pair<std::string, std::string>> functions(const std::string &ir, std::string &head) {
  std::vector<std::pair<std::string, std::string>> all;
  size_t at = ir.find("mask.func");
  head = ir.substr(0, at);
  while (at != std::string::npos) {
    const size_t next = ir.find("mask.func", at + 1);
    const std::string text = ir.substr(at, next == std::string::npos ? ir.rfind('}') - at : next - at);
    const std::string name = text.substr(0, text.find('('));
    all.emplace_back(name.find('.', 10) == std::string::npos ? "" : name.substr(name.find('.', 10) + 1), text);
    at = next;
  }
  return all;
}

class Derivations : public testing::TestWithParam<const char *> {};

TEST_P(Derivations, RemovedOneByOneAndAllChangeNoBit) {
  auto mask = Mask::find(GetParam());
  ASSERT_TRUE(mask) << mask.error().message;
  AttentionCase c(*mask, DType::F32, 2, 4, 2, 170, 170, 32);
  c.fillNormal(11);
  for (const ParamInfo &info : mask->params())
    if (info.isSorted) {
      std::vector<int32_t> ids;
      for (int i = 0; i < 340; ++i)
        ids.push_back(i % 170 / 47);
      c.setParam(info.name, ids);
    } else if (info.name == "window") {
      c.setParam(info.name, std::vector<int32_t>{40, 70});
    }
  std::string head;
  const auto all = functions(mask->ir(true), head);
  ASSERT_GT(all.size(), 1u) << "nothing was derived from " << GetParam();
  const auto want = runKernels(c, mask->ir(true));
  std::string predicate;
  for (const auto &[removed, unused] : all) {
    std::string ir = head;
    for (const auto &[name, text] : all)
      ir += name == removed && !removed.empty() ? "" : text;
    if (!removed.empty())
      EXPECT_EQ(runKernels(c, ir + "}"), want) << "without " << removed;
    else
      predicate = head + unused + "}";
  }
  EXPECT_EQ(runKernels(c, predicate), want) << "without everything";
}

INSTANTIATE_TEST_SUITE_P(Cpu, Derivations, testing::Values("gpt_oss_sliding", "packed_window"));

} // namespace
} // namespace maskjit::test
