// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Removing what was derived from a mask makes a kernel slower, never different.
#include "compiler/codegen/Cpu.h"
#include "compiler/device/cpu/CpuAttention.h"
#include "tests/runtime/attention/AttentionCase.h"
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

std::vector<std::vector<float>> run(AttentionCase &c, const std::string &ir) {
  KernelSpec spec;
  spec.headDim = int(c.headDim);
  auto forward = compileIrForCpu(ir, spec);
  spec.phase = Phase::Backward;
  auto backward = compileIrForCpu(ir, spec);
  EXPECT_TRUE(forward) << forward.error().message;
  EXPECT_TRUE(backward) << backward.error().message;
  const AttentionArgs args = c.args();
  auto tensor = [](const TensorView &v) { return cpu::Tensor{v.data, v.batchStride, v.headStride, v.seqStride}; };
  std::vector<cpu::Param> params;
  for (const ParamValues &p : args.params)
    params.push_back({p.data, p.batchStride, p.size});
  std::vector<float> delta(c.lse.size()), scratch(cpu::scratchBytes(c.headDim) / 4);
  cpu::Attention a{c.batch, c.headsQ, c.headsKv, c.lenQ, c.lenK, c.scale};
  a.q = tensor(args.q), a.k = tensor(args.k), a.v = tensor(args.v), a.out = tensor(args.out);
  a.dout = tensor(args.dout), a.dq = tensor(args.dq), a.dk = tensor(args.dk), a.dv = tensor(args.dv);
  a.lse = args.lse, a.delta = delta.data(), a.params = params.data(), a.scratch = scratch.data();
  a.headsPerItem = 2, a.queriesPerItem = 64;
  (*forward)->entry("forward")(&a, 0, cpu::itemCount(a));
  (*backward)->entry("backward_rows")(&a, 0, c.batch * c.headsQ);
  (*backward)->entry("backward_queries")(&a, 0, cpu::itemCount(a));
  (*backward)->entry("backward_keys")(&a, 0, c.batch * c.headsKv * cpu::keyTiles(a));
  return {c.out.values(), c.lse, c.dq.values(), c.dk.values(), c.dv.values()};
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
  const auto want = run(c, mask->ir(true));
  std::string predicate;
  for (const auto &[removed, unused] : all) {
    std::string ir = head;
    for (const auto &[name, text] : all)
      ir += name == removed && !removed.empty() ? "" : text;
    if (!removed.empty())
      EXPECT_EQ(run(c, ir + "}"), want) << "without " << removed;
    else
      predicate = head + unused + "}";
  }
  EXPECT_EQ(run(c, predicate), want) << "without everything";
}

INSTANTIATE_TEST_SUITE_P(Cpu, Derivations, testing::Values("gpt_oss_sliding", "packed_window"));

} // namespace
} // namespace maskjit::test
