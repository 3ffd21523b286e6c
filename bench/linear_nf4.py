#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NF4 linear layers on a GPU: maskjit::linear_nf4 beside cuBLAS in bf16 (torch.nn.functional.linear), in one run. With
--gradient maskjit::linear_nf4_gradient, that of the input, beside cuBLAS on a matrix that is dense already and on one
that is dequantized first.

  python3 bench/linear_nf4.py build/lib/libmaskjit_torch.so [--nested] [--gradient] [--rows 1 8 16 32 200 512 4096]

Random weights in blocks of 64; matrices rotate, so that no cache holds the weights of the call before. Medians of
replays of a CUDA graph of 24 calls. Weights are frozen: a kernel reads codes while the one before it ends; --alone says
otherwise. Every row is checked first against float64 of the same numbers: the error may be at
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
        bytes = torch.arange(256, device="cuda")
        self.pairs = torch.stack([self.table[bytes >> 4], self.table[bytes & 15]], 1)
        self.scales, self.inputs = absmax, inputs
        self.dense = self.dequantize()

    def dequantize(self):
        values = self.pairs.index_select(0, self.codes.int()).view(-1, 64)
        return (values * self.scales.unsqueeze(1)).view(self.features, self.inputs).bfloat16()

    def multiply(self, x, frozen):
        return torch.ops.maskjit.linear_nf4(x, self.codes, self.table, self.absmax, self.nested, self.features, None,
                                            frozen)

    def multiply_back(self, dy, frozen):
        return torch.ops.maskjit.linear_nf4_gradient(dy, self.codes, self.table, self.absmax, self.nested, self.inputs,
                                                     frozen)


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


def compare(shape, rows, x, want, calls, replays):
    """`calls`: ours, cuBLAS on dense matrices, and what else, each a function of the number of a matrix."""
    ours, theirs = ((call(0).double() - want).norm() / want.norm() for call in calls[:2])
    assert ours <= 2 * theirs, f"{shape}, {rows} rows: error {ours:.2e}, cuBLAS's {theirs:.2e}"
    times = [graph_us([lambda call=call, i=i: call(i % 12) for i in range(24)], replays) for call in calls]
    more = "".join(f", dequantized first {t:8.1f} us" for t in times[2:])
    print(f"{shape} {rows:5} rows: {times[0]:8.1f} us, cuBLAS bf16 {times[1]:8.1f} us, ratio {times[0] / times[1]:.2f}"
          f"{more}; errors {ours:.2e} and {theirs:.2e}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("--nested", action="store_true", help="absmax is quantized itself")
    parser.add_argument("--gradient", action="store_true", help="of the input")
    parser.add_argument("--alone", action="store_true", help="no kernel begins before the one before it has ended")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8, 16, 32, 64, 200, 512, 4096])
    parser.add_argument("--shapes", nargs="+", default=["2880x5120", "4096x2880"], help="inputs x features")
    parser.add_argument("--replays", type=int, default=15)
    options = parser.parse_args()
    torch.ops.load_library(options.library)
    torch.manual_seed(1)
    frozen = not options.alone
    print(torch.cuda.get_device_name(), "nested" if options.nested else "absmax in fp32")
    for shape in options.shapes:
        inputs, features = map(int, shape.split("x"))
        m = [Matrix(features, inputs, options.nested) for _ in range(12)]
        for rows in options.rows:
            x = torch.randn(rows, features if options.gradient else inputs, device="cuda", dtype=torch.bfloat16)
            if options.gradient:
                compare(f"{features} -> {inputs}", rows, x, x.double() @ m[0].dense.double(),
                        [lambda i: m[i].multiply_back(x, frozen), lambda i: x @ m[i].dense,
                         lambda i: x @ m[i].dequantize()], options.replays)
            else:
                compare(f"{inputs} -> {features}", rows, x, x.double() @ m[0].dense.double().T,
                        [lambda i: m[i].multiply(x, frozen), lambda i: torch.nn.functional.linear(x, m[i].dense)],
                        options.replays)


if __name__ == "__main__":
    main()
