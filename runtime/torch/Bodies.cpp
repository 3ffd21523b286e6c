// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Results are allocated like the tensors that they belong to, so that traced and real calls agree on strides.
#include "runtime/torch/Bodies.h"
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <limits>

namespace maskjit::torch_ops {

namespace {
at::Tensor emptyLse(const at::Tensor &q) {
  return at::empty({q.size(0), q.size(1), q.size(2)}, q.options().dtype(at::kFloat));
}

void check(const Result<void> &ran) { TORCH_CHECK(ran, "maskjit: ", ran.error().message); }

/// Runs, or, where there are no keys at all, writes what a row without keys gives.
void runForward(const KnownMask &mask, AttentionArgs &args, const std::optional<at::Tensor> &sinks, at::Tensor &out,
                at::Tensor &lse, Run run) {
  if (out.numel() == 0)
    return;
  if (args.lenK == 0) {
    out.zero_();
    lse.fill_(-std::numeric_limits<float>::infinity());
    if (sinks)
      lse.copy_(sinks->view({1, -1, 1}).expand_as(lse));
    return;
  }
  args.out = viewOf(out);
  args.lse = lse.mutable_data_ptr<float>();
  check(run(mask.mask(), args));
}
} // namespace

std::tuple<at::Tensor, at::Tensor> forward(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                                           const std::optional<at::Tensor> &sinks, const MaskCall &call, Run run) {
  KnownMask &mask = KnownMask::find(call.mask);
  checkKinds(mask, q, k, v, sinks, call.params);
  const std::optional<at::Tensor> floatSinks = sinksAsFloat(sinks);
  AttentionArgs args = makeArgs(mask, q, k, v, floatSinks, call);
  at::Tensor out = at::empty_like(q), lse = emptyLse(q);
  runForward(mask, args, floatSinks, out, lse, run);
  return {out, lse};
}

std::tuple<at::Tensor, at::Tensor> forwardCached(const at::Tensor &q, const at::Tensor &kPages,
                                                 const at::Tensor &vPages, const at::Tensor &pageTable,
                                                 const at::Tensor &kvLen, const std::optional<at::Tensor> &sinks,
                                                 const MaskCall &call, Run run) {
  KnownMask &mask = KnownMask::find(call.mask);
  checkKinds(mask, q, kPages, vPages, sinks, call.params);
  checkPageKinds(q, pageTable, kvLen);
  const std::optional<at::Tensor> floatSinks = sinksAsFloat(sinks);
  AttentionArgs args = makeCachedArgs(mask, q, kPages, vPages, pageTable, kvLen, floatSinks, call);
  at::Tensor out = at::empty_like(q), lse = emptyLse(q);
  runForward(mask, args, floatSinks, out, lse, run);
  return {out, lse};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> backward(const at::Tensor &dout, const at::Tensor &q,
                                                                    const at::Tensor &k, const at::Tensor &v,
                                                                    const std::optional<at::Tensor> &sinks,
                                                                    const at::Tensor &out, const at::Tensor &lse,
                                                                    const MaskCall &call, Run run) {
  KnownMask &mask = KnownMask::find(call.mask);
  checkKinds(mask, q, k, v, sinks, call.params);
  TORCH_CHECK(dout.sizes() == q.sizes() && dout.scalar_type() == q.scalar_type(), "maskjit: dout is ",
              dout.scalar_type(), " ", dout.sizes(), "; expected q's ", q.scalar_type(), " ", q.sizes());
  TORCH_CHECK(out.sizes() == q.sizes() && out.scalar_type() == q.scalar_type(), "maskjit: out is ", out.scalar_type(),
              " ", out.sizes(), "; expected q's ", q.scalar_type(), " ", q.sizes());
  TORCH_CHECK(lse.scalar_type() == at::kFloat && lse.sizes() == q.sizes().slice(0, 3), "maskjit: lse is ",
              lse.scalar_type(), " ", lse.sizes(), "; expected float32 ", q.sizes().slice(0, 3));
  const std::optional<at::Tensor> floatSinks = sinksAsFloat(sinks);
  AttentionArgs args = makeArgs(mask, q, k, v, floatSinks, call);
  at::Tensor dq = at::empty_like(q), dk = at::empty_like(k), dv = at::empty_like(v);
  at::Tensor dsinks = at::empty({floatSinks ? args.headsQ : 0}, q.options().dtype(at::kFloat));
  if (q.numel() == 0 || k.numel() == 0) {
    for (at::Tensor *gradient : {&dq, &dk, &dv, &dsinks})
      gradient->zero_();
  } else {
    // A gradient arrives with whatever strides it has, all 0 after sum().
    const at::Tensor doutDense = dout.stride(-1) == 1 ? dout : dout.contiguous();
    const at::Tensor outDense = out.stride(-1) == 1 ? out : out.contiguous(), lseDense = lse.contiguous();
    args.out = viewOf(outDense);
    args.lse = const_cast<float *>(lseDense.const_data_ptr<float>());
    args.dout = viewOf(doutDense);
    args.dq = viewOf(dq);
    args.dk = viewOf(dk);
    args.dv = viewOf(dv);
    args.dsinks = floatSinks ? dsinks.mutable_data_ptr<float>() : nullptr;
    check(run(mask.mask(), args));
  }
  return {dq, dk, dv, floatSinks ? dsinks.to(sinks->scalar_type()) : dsinks};
}

} // namespace maskjit::torch_ops
