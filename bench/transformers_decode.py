#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Decode speed of transformers on gpt-oss-20b in bf16 with random weights: the peer of bench_decode_step.

  python3 bench/transformers_decode.py [--batch 1 8 32] [--context 1024] [--steps 32] [--attention eager]

Prompts of --context random tokens are prefilled once, then --steps greedy tokens are timed one by one, each from its
launch to the end of its kernels. Prints the median step, tokens/s, and in the same run the rate of a read-only kernel
over 1 GiB. Random weights route nearly uniformly, as a trained router does not.
"""
import argparse
import json
import statistics
import time

import torch
import transformers
from transformers import DynamicCache, GptOssConfig, GptOssForCausalLM


def build(attention):
    config = GptOssConfig(attn_implementation=attention)  # its defaults are the shapes of 120b
    config.num_hidden_layers = 24
    config.layer_types = ["sliding_attention" if i % 2 == 0 else "full_attention" for i in range(24)]
    config.num_local_experts = 32
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("meta"):
        model = GptOssForCausalLM(config)
    model.to_empty(device="cuda")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.fill_(1.0) if "norm" in name else parameter.normal_(0, 0.02)
        rope = model.model.rotary_emb
        model.model.rotary_emb = type(rope)(config=config, device="cuda")
    return model.eval()


def read_rate():
    source = torch.empty(1 << 28, dtype=torch.float32, device="cuda").normal_()
    times = []
    for _ in range(20):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        source.sum()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return source.numel() * 4 / statistics.median(times) / 1e6  # GB/s


@torch.inference_mode()
def decode(model, batch, context, steps):
    cache = DynamicCache(config=model.config)
    ids = torch.randint(0, model.config.vocab_size, (batch, context), device="cuda")
    step = model(ids, past_key_values=cache, logits_to_keep=1)
    times = []
    for _ in range(steps):
        token = step.logits[:, -1].argmax(-1, keepdim=True)
        torch.cuda.synchronize()
        start = time.perf_counter()
        step = model(token, past_key_values=cache)
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[4:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--attention", default="eager", help="attn_implementation of transformers")
    args = parser.parse_args()
    model = build(args.attention)
    print(json.dumps({"device": torch.cuda.get_device_name(), "torch": torch.__version__,
                      "transformers": transformers.__version__, "attention": args.attention,
                      "read_tb_s": round(read_rate() / 1e3, 3)}))
    for batch in args.batch:
        seconds = decode(model, batch, args.context, args.steps)
        print(json.dumps({"batch": batch, "context": args.context, "step_ms": round(1e3 * seconds, 3),
                          "tokens_per_s": round(batch / seconds, 1)}), flush=True)


if __name__ == "__main__":
    main()
