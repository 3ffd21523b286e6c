#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention forward and backward on a GPU: maskjit's operators beside FlexAttention, in one run.

  python3 bench/attention_gpu.py build/lib/libmaskjit_torch.so [--json FILE] [--quick]

bf16, random inputs, sinks on; FlexAttention has none, so its output is scaled by sigmoid(lse - sink), compiled with it.
TFLOP/s count attended pairs (4 D a pair forward, 10 D backward). Medians of `--runs` runs, L2 flushed before each.
Every row is checked first: the two outputs may differ by at most 0.02.
"""
import argparse
import json
import statistics
import time

import torch
import torch._functorch.config
from torch.nn.attention.flex_attention import create_block_mask, flex_attention


def median_ms(run, runs):
    flush = torch.empty(256 << 20, dtype=torch.int8, device="cuda")
    for _ in range(3):
        run()
    times = []
    for _ in range(runs):
        flush.zero_()
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


def ceilings(runs):
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    product = median_ms(lambda: a @ b, runs)
    source = torch.empty(1 << 30, dtype=torch.int8, device="cuda")
    target = torch.empty_like(source)
    copy = median_ms(lambda: target.copy_(source), runs)
    return 2 * 8192**3 / product / 1e9, 2 * source.numel() / copy / 1e9


def ints(*values):
    return [torch.tensor(v, dtype=torch.int32, device="cuda") for v in values]


def cases(quick):
    gpt = (64, 8, 64)
    for length in (2048, 8192) if quick else (2048, 8192, 32768):
        yield f"causal {length}", 1, length, gpt, "causal", [], lambda b, h, q, k: q >= k, length * (length + 1) // 2
    for length in (8192,) if quick else (8192, 32768):
        pairs = 128 * length - 128 * 127 // 2
        yield (f"window 128, {length}", 1, length, gpt, "sliding_window", ints(128),
               lambda b, h, q, k: (q >= k) & (q - k < 128), pairs)
    pads = torch.linspace(0, 3500, 8).int().cuda()
    pairs = sum((4096 - p) * (4097 - p) // 2 for p in pads.tolist())
    yield ("left padded 8 x 4096", 8, 4096, gpt, "gpt_oss_full", ints(0) + [pads],
           lambda b, h, q, k: (q >= k) & (k >= pads[b]) & (q >= pads[b]), pairs)
    if not quick:
        yield "D 128, causal 8192", 1, 8192, (32, 8, 128), "causal", [], lambda b, h, q, k: q >= k, 8192 * 8193 // 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("--json")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="fewer, shorter rows")
    parser.add_argument("--no-peer", action="store_true", help="maskjit alone")
    args = parser.parse_args()
    torch._functorch.config.donated_buffer = False  # the graph is kept between timed backward passes
    torch.ops.load_library(args.library)
    torch.manual_seed(0)

    def with_sink(q, k, v, sinks, block_mask):
        out, lse = flex_attention(q, k, v, block_mask=block_mask, enable_gqa=True, return_lse=True)
        return out * torch.sigmoid(lse - sinks[None, :, None]).to(out.dtype)[..., None]

    product, copy = ceilings(args.runs)
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}: product {product:.0f} TFLOP/s, copy {copy:.2f} TB/s")
    print(f"{'case':24} {'maskjit fwd':>20} {'bwd':>20} {'flex fwd':>20} {'bwd':>20}  first call s (ours, flex), error")
    results = []
    for name, batch, length, (hq, hkv, d), mask, params, mask_mod, pairs in cases(args.quick):
        shape = lambda h: (batch, h, length, d)
        q, k, v = (torch.randn(shape(h), device="cuda", dtype=torch.bfloat16, requires_grad=True) for h in (hq, hkv, hkv))
        sinks = torch.randn(hq, device="cuda", requires_grad=True)
        dout = torch.randn(shape(hq), device="cuda", dtype=torch.bfloat16)
        pairs *= hq

        ours = lambda: torch.ops.maskjit.attention(q, k, v, sinks, mask, params)[0]
        runs = {"maskjit": ours}
        if not args.no_peer:
            torch._dynamo.reset()  # else the limit of recompiles is reached, and FlexAttention falls back to dense scores
            flex = torch.compile(with_sink, dynamic=False)
            block_mask = create_block_mask(mask_mod, batch, None, length, length, device="cuda")
            runs["flex"] = lambda: flex(q, k, v, sinks, block_mask)
        row, outputs = {"case": name}, {}
        for who, forward in runs.items():
            start = time.time()
            out = forward()
            out.backward(dout)
            torch.cuda.synchronize()
            row[who + "_first_s"] = time.time() - start
            outputs[who] = out.detach()
            with torch.no_grad():
                row[who + "_fwd_ms"] = median_ms(forward, args.runs)
            out = forward()
            row[who + "_bwd_ms"] = median_ms(
                lambda: torch.autograd.grad(out, (q, k, v, sinks), dout, retain_graph=True), args.runs)
            row[who + "_fwd_tflops"] = 4 * d * pairs / row[who + "_fwd_ms"] / 1e9
            row[who + "_bwd_tflops"] = 10 * d * pairs / row[who + "_bwd_ms"] / 1e9
        if "flex" in outputs:
            valid = slice(None) if batch == 1 else slice(0, 1)  # rows of padding differ by definition
            row["error"] = (outputs["maskjit"][valid].float() - outputs["flex"][valid].float()).abs().max().item()
            assert row["error"] < 0.02, f"{name}: outputs differ by {row['error']}"
        results.append(row)
        cell = lambda who, phase: (f"{row[f'{who}_{phase}_ms']:9.3f} ms {row[f'{who}_{phase}_tflops']:4.0f} TF"
                                   if f"{who}_{phase}_ms" in row else "")
        print(f"{name:24} {cell('maskjit', 'fwd'):>20} {cell('maskjit', 'bwd'):>20} {cell('flex', 'fwd'):>20} "
              f"{cell('flex', 'bwd'):>20}  {row['maskjit_first_s']:.2f} {row.get('flex_first_s', 0):.1f} {row.get('error', 0):.4f}",
              flush=True)
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"device": torch.cuda.get_device_name(), "product_tflops": product, "copy_tbs": copy,
                       "rows": results}, file, indent=1)


if __name__ == "__main__":
    main()
