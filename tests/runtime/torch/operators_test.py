# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The operators as Python sees them: opcheck, gradients against dense float64, fake tensors, torch.compile.

    PYTHONPATH=<folder of torch> python3 operators_test.py libmaskjit_torch.so [name of a test ...]
"""

import math
import sys
import traceback

import torch
from torch.library import opcheck

torch.ops.load_library(sys.argv[1])
ops = torch.ops.maskjit


def ints(*values):
    return torch.tensor(values, dtype=torch.int32)


def scalar(value):
    return torch.tensor(value, dtype=torch.int32)


def qkv(batch=2, heads_q=4, heads_kv=2, queries=9, keys=13, dim=32, requires_grad=False, dtype=torch.float32):
    torch.manual_seed(queries * 1000 + keys)
    shapes = (batch, heads_q, queries, dim), (batch, heads_kv, keys, dim), (batch, heads_kv, keys, dim)
    return [torch.randn(shape, dtype=dtype, requires_grad=requires_grad) for shape in shapes]


def dense(q, k, v, sinks, visible):
    """Attention and its log-sum-exp by the formula, in float64. visible: [B, Sq, Sk] of bool."""
    q, k, v = q.double(), k.double(), v.double()
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    scores = (q @ k.transpose(2, 3) / math.sqrt(q.shape[3])).masked_fill(~visible[:, None], -math.inf)
    if sinks is not None:
        column = sinks.double().view(1, -1, 1, 1).expand(*scores.shape[:3], 1)
        scores = torch.cat([scores, column], 3)
    lse = scores.logsumexp(3)
    weights = (scores - lse[..., None]).exp().nan_to_num()  # a row that sees nothing: nan, weight 0
    return weights[..., : k.shape[2]] @ v, lse


def sliding(queries, keys, window, offset):
    """[B, Sq, Sk] for a window and an offset per sequence."""
    position = torch.arange(queries)[None, :, None] + offset.view(-1, 1, 1)
    distance = position - torch.arange(keys)
    return (distance >= 0) & (distance < window)


def pages(k, size=4):
    """k [B, H, S, D] as pages [B * S / size, H, size, D] and their table."""
    batch, heads, keys, dim = k.shape
    table = torch.arange(batch * keys // size, dtype=torch.int32).view(batch, -1)
    return k.view(batch, heads, -1, size, dim).transpose(1, 2).reshape(-1, heads, size, dim), table


def test_opcheck_attention():
    for requires_grad in (False, True):
        for sinks in (None, torch.randn(4, requires_grad=requires_grad)):
            q, k, v = qkv(requires_grad=requires_grad)
            opcheck(ops.attention.default, (q, k, v, sinks, "causal", []))
            opcheck(ops.attention.default, (q, k, v, sinks, "gpt_oss_sliding", [scalar(5), ints(4, 2)], 0.3))
    q, k, v = qkv(dtype=torch.bfloat16)
    opcheck(ops.attention.default, (q, k, v, torch.randn(4), "causal", []))


def test_opcheck_attention_cached():
    q, k, v = qkv(keys=16)
    k_pages, table = pages(k)
    v_pages, _ = pages(v)
    opcheck(ops.attention_cached.default,
            (q, k_pages, v_pages, table, ints(16, 9), torch.randn(4), "gpt_oss_full", [ints(7, 0)]))


def test_opcheck_attention_backward():
    q, k, v = qkv()
    for sinks in (None, torch.randn(4)):
        out, lse = ops.attention(q, k, v, sinks, "causal", [])
        opcheck(ops.attention_backward.default, (torch.randn_like(out), q, k, v, sinks, out, lse, "causal", []))


def test_gradients_equal_dense_float64():
    for queries, keys in ((9, 13), (1, 40), (33, 33)):
        inputs = qkv(queries=queries, keys=keys, requires_grad=True) + [torch.randn(4, requires_grad=True)]
        offset = ints(keys - queries, 1)
        out, lse = ops.attention(*inputs, "gpt_oss_sliding", [scalar(7), offset])
        expected, expected_lse = dense(*inputs, sliding(queries, keys, 7, offset))
        torch.testing.assert_close(out.double(), expected, rtol=2e-6, atol=2e-6)
        torch.testing.assert_close(lse.double(), expected_lse, rtol=2e-6, atol=2e-6)
        weight = torch.randn_like(out)
        got = torch.autograd.grad(out, inputs, weight)
        want = torch.autograd.grad(expected, inputs, weight.double())
        for name, g, w in zip(("q", "k", "v", "sinks"), got, want):
            torch.testing.assert_close(g, w, rtol=1e-5, atol=1e-5, msg=lambda m: f"d{name}, {queries} x {keys}: {m}")


def test_finite_differences():
    q, k, v = qkv(batch=1, heads_q=2, heads_kv=1, queries=3, keys=5, requires_grad=True)
    sinks = torch.randn(2, requires_grad=True)
    weight = torch.randn(1, 2, 3, 32)
    loss = lambda *inputs: (ops.attention(*inputs, "causal", [])[0].double() * weight).sum()
    inputs = [q, k, v, sinks]
    gradients = torch.autograd.grad(loss(*inputs), inputs)
    for i, gradient in enumerate(gradients):
        direction = torch.randn_like(gradient)
        step = 1e-2  # of float32: rounding 1e-7 / 1e-2, third derivative 1e-4
        with torch.no_grad():
            plus, minus = ([t + sign * step * direction if j == i else t for j, t in enumerate(inputs)]
                           for sign in (1, -1))
            slope = (loss(*plus) - loss(*minus)) / (2 * step)
        torch.testing.assert_close((gradient.double() * direction).sum(), slope, rtol=2e-3, atol=2e-3)


def test_fake_and_meta_tensors():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        q, k, v = torch.empty(2, 5, 4, 32).transpose(1, 2), torch.empty(2, 2, 7, 32), torch.empty(2, 2, 7, 32)
        out, lse = ops.attention(q, k, v, torch.empty(4), "causal", [])
        assert out.shape == q.shape and out.stride() == q.stride() and lse.shape == (2, 4, 5), (out, lse)
        assert lse.dtype == torch.float32
        half = [t.bfloat16() for t in (q, k, v)]
        assert ops.attention(*half, None, "causal", [])[0].dtype == torch.bfloat16
    meta = [t.to("meta") for t in qkv()]
    assert ops.attention(*meta, None, "causal", [])[0].device.type == "meta"
    try:
        ops.attention(*meta, None, "sliding_window", [torch.empty((), dtype=torch.int64, device="meta")])
    except RuntimeError as error:
        assert "parameter 'window' is Long; expected Int" in str(error), error
    else:
        raise AssertionError("an int64 parameter was accepted")


def test_compile_over_100_lengths():
    torch._dynamo.reset()

    @torch.compile(fullgraph=True, dynamic=True, backend="aot_eager")
    def layer(q, k, v, sinks, offset):
        out, lse = ops.attention(q * 1.5, k, v, sinks, "gpt_oss_sliding", [scalar_16, offset])
        return (out * 2).square().mean(), lse

    scalar_16 = scalar(16)
    compiled = graphs = None
    # The first length is unlike every other size: torch.compile gives equal sizes one symbol, and guards on it.
    for length in (77, *range(2, 101)):
        q, k, v = qkv(queries=length, keys=length + 3, requires_grad=True)
        sinks = torch.randn(4, requires_grad=True)
        offset = ints(3, 1)
        loss, lse = layer(q, k, v, sinks, offset)
        loss.backward()
        if graphs is None:
            compiled, graphs = ops.compilations(), torch._dynamo.utils.counters["stats"]["unique_graphs"]
        if length % 33 == 11:
            expected, expected_lse = dense(q * 1.5, k, v, sinks, sliding(length, length + 3, 16, offset))
            torch.testing.assert_close(lse.double(), expected_lse, rtol=1e-5, atol=1e-5)
            want = torch.autograd.grad((expected * 2).square().mean(), [q, k, v, sinks])
            for g, w in zip((q.grad, k.grad, v.grad, sinks.grad), want):
                torch.testing.assert_close(g, w, rtol=1e-4, atol=1e-6)
    assert ops.compilations() == compiled, f"{compiled} kernels after the first length, {ops.compilations()} after all"
    now = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert now == graphs, f"{graphs} graphs after the first length, {now} after all"


def test_decode_under_compile():
    torch._dynamo.reset()

    @torch.compile(fullgraph=True, dynamic=True, backend="aot_eager")
    def step(q, k_pages, v_pages, table, length):
        return ops.attention_cached(q, k_pages, v_pages, table, length, None, "gpt_oss_full", [length - 1])[0]

    q, k, v = qkv(queries=1, keys=64)
    k_pages, table = pages(k, 16)
    v_pages, _ = pages(v, 16)
    compiled = None
    with torch.no_grad():
        for length in range(1, 65):
            out = step(q, k_pages, v_pages, table, ints(length, length))
            compiled = ops.compilations() if compiled is None else compiled
            if length % 16 == 5:
                expected, _ = dense(q, k[:, :, :length], v[:, :, :length], None, torch.ones(2, 1, length, dtype=torch.bool))
                torch.testing.assert_close(out.double(), expected, rtol=2e-6, atol=2e-6)
    assert ops.compilations() == compiled


def main():
    tests = {name: function for name, function in globals().items() if name.startswith("test_")}
    failed = 0
    for name in sys.argv[2:] or tests:
        try:
            tests[name]()
            print(f"ok   {name}", flush=True)
        except Exception:
            failed += 1
            traceback.print_exc()
            print(f"FAIL {name}", flush=True)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
