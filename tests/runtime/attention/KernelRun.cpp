// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The argument block of a case, filled as the runtime does.
#include "tests/runtime/attention/KernelRun.h"
#include "compiler/device/cpu/CpuAttention.h"
#include <gtest/gtest.h>

namespace maskjit::test {

std::vector<std::vector<float>> runKernels(AttentionCase &c, const std::string &ir, const CpuMachine &machine) {
  KernelSpec spec;
  spec.headDim = int(c.headDim), spec.dtype = c.dtype;
  auto forward = compileIrForCpu(ir, spec, machine);
  spec.phase = Phase::BackwardDq;
  auto backward = compileIrForCpu(ir, spec, machine);
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

} // namespace maskjit::test
