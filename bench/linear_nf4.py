#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NF4 linear layers on a GPU: maskjit::linear_nf4 beside cuBLAS in bf16 (torch.nn.functional.linear), in one run.

  python3 bench/linear_nf4.py build/lib/libmaskjit_torch.so [--nested] [--rows 1 8 16 32 200 512 4096]

Random weights in blocks of 64; matrices rotate, so that no cache holds the weights of the call before. Medians of
replays of a CUDA graph of 24 calls. Every row is checked first against float64 of the same numbers: the error may be at
most twice that of the bf16 product of the dequantized matrix.
"""
import argparse
import statistics

import torch

CODE = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
        -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
        0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]


class Matrix:
    """Codes, high nibble first, and the largest magnitude of each block; nested: that as an index into a table times a
    number a block of 256, plus an offset."""

    def __init__(self, features, inputs, nested):
        self.features = features
        blocks = features * inputs // 64
        self.table = torch.tensor(CODE, device="cuda")
        self.codes = torch.randint(0, 256, (features * inputs // 2,), dtype=torch.uint8, device="cuda")
        absmax = torch.rand(blocks, device="cuda") * 0.05 + 0.01
        self.nested = []
        self.absmax = absmax
        if nested:
            table = torch.linspace(-1, 1, 256, device="cuda")
            scales = torch.rand((blocks + 255) // 256, device="cuda") * 0.02 + 0.01
            offset = torch.tensor([0.05], device="cuda")
            self.absmax = torch.randint(0, 256, (blocks,), dtype=torch.uint8, device="cuda")
            self.nested = [table, scales, offset]
            absmax = table[self.absmax.long()] * scales.repeat_interleave(256)[:blocks] + offset
        nibbles = torch.stack([self.codes >> 4, self.codes & 15], 1).flatten().long()
        self.dense = (self.table[nibbles].view(-1, 64) * absmax.unsqueeze(1)).view(features, inputs).bfloat16()

    def multiply(self, x):
        return torch.ops.maskjit.linear_nf4(x, self.codes, self.table, self.absmax, self.nested, self.features, None)


def graph_us(calls, replays):
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for call in calls:
            call()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            for call in calls:
                call()
    times = []
    for _ in range(replays + 2):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(1e3 * begin.elapsed_time(end) / len(calls))
    return statistics.median(times[2:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("--nested", action="store_true", help="absmax is quantized itself")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8, 16, 32, 200, 512, 4096])
    parser.add_argument("--shapes", nargs="+", default=["2880x5120", "4096x2880"], help="inputs x features")
    parser.add_argument("--replays", type=int, default=15)
    options = parser.parse_args()
    torch.ops.load_library(options.library)
    torch.manual_seed(1)
    print(torch.cuda.get_device_name(), "nested" if options.nested else "absmax in fp32")
    for shape in options.shapes:
        inputs, features = map(int, shape.split("x"))
        matrices = [Matrix(features, inputs, options.nested) for _ in range(12)]
        for rows in options.rows:
            x = torch.randn(rows, inputs, device="cuda", dtype=torch.bfloat16)
            want = x.double() @ matrices[0].dense.double().T
            ours = (matrices[0].multiply(x).double() - want).norm() / want.norm()
            theirs = (torch.nn.functional.linear(x, matrices[0].dense).double() - want).norm() / want.norm()
            assert ours <= 2 * theirs, f"{shape}, {rows} rows: error {ours:.2e}, cuBLAS's {theirs:.2e}"
            nf4 = graph_us([lambda m=matrices[i % 12]: m.multiply(x) for i in range(24)], options.replays)
            dense = graph_us([lambda m=matrices[i % 12]: torch.nn.functional.linear(x, m.dense) for i in range(24)],
                             options.replays)
            print(f"{shape} {rows:5} rows: {nf4:8.1f} us, cuBLAS bf16 {dense:8.1f} us, ratio {nf4 / dense:.2f}; "
                  f"errors {ours:.2e} and {theirs:.2e}", flush=True)


if __name__ == "__main__":
    main()
