#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every attention fixture through `maskjit run`, as a user of another library would compare: shipped masks, parameters
by name, gradients. Errors are measured as the fixtures' README says.

  python3 run_fixtures.py PROGRAM FIXTURES cpu|cuda [f32|bf16|f16]
"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np

TYPES = {"F32": np.float32, "U8": np.uint8, "I32": np.int32, "I64": np.int64, "BF16": np.uint16, "F16": np.float16}


def read(path):
    data = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = np.frombuffer(data[8 + size + begin:8 + size + end], TYPES[entry["dtype"]])
            if entry["dtype"] == "BF16":
                values = (values.astype(np.uint32) << 16).view(np.float32)
            tensors[name] = values.reshape(entry["shape"])
    return tensors


def write(path, tensors):
    header, body = {}, b""
    for name, values in tensors.items():
        kind = {np.dtype(np.float32): "F32", np.dtype(np.int32): "I32"}[values.dtype]
        raw = np.ascontiguousarray(values).tobytes()
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + body)


def mask_of(case, folder):
    """The mask's reference and its parameters, from the words of the fixture."""
    words, params = case["mask"], {}
    for name in ("q_offset", "left_pad", "prefix", "window"):
        if name in words:
            params[name] = np.array(words[name], np.int32)
    if "kv_len" in words:
        params["kv_len"] = np.array(words["kv_len"], np.int32)
    if "documents" in words:
        params["documents"] = np.array(words["documents"], np.int32)  # run lengths, as in the fixture
        return ("packed_window" if "window" in words else "packed_documents"), params
    if case["softcap"]:
        params["softcap"] = np.array(case["softcap"], np.float32)
        return "softcap", params
    if "dead_rows" in words:
        dead = np.zeros((case["batch"], case["q_len"]), np.int32)
        for sequence, rows in enumerate(words["dead_rows"]):
            dead[sequence, rows] = 1
        params["dead"] = dead
        path = folder / "dead_rows.mask"
        path.write_text("mask dead_rows(q, k; dead[q]: int 0..1) = k <= q && dead[q] == 0\n")
        return str(path), params
    if "prefix" in words:
        return "prefix_lm", params
    if not words.get("causal"):
        return "right_padding", params
    return ("gpt_oss_sliding" if "window" in words else "gpt_oss_full"), params


def fails(name, got, want, low_precision):
    if not low_precision or name == "lse":
        finite = np.isfinite(want)
        if not np.array_equal(got[~finite], want[~finite]):
            return "infinities differ"
        error = np.max(np.abs(got[finite] - want[finite]) / (1 + np.abs(want[finite])), initial=0)
        bound = 1e-4 if low_precision else 2e-6
        return f"error {error:.2e}, bound {bound}" if not error <= bound else None
    absolute = np.max(np.abs(got - want))
    norm = np.linalg.norm(got - want) / max(np.linalg.norm(want), 1e-30)
    bounds = (0.02, 0.005) if name == "out" else (0.05, 0.01)
    if absolute <= bounds[0] or norm <= bounds[1]:
        return None
    return f"error {absolute:.2e} absolute, {norm:.2e} of the norm"


def main():
    program, fixtures, target = sys.argv[1:4]
    dtype = sys.argv[4] if len(sys.argv) > 4 else ("f32" if target == "cpu" else "bf16")
    count, faults = 0, []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for sidecar in sorted(pathlib.Path(fixtures, "attention").glob("*.json")):
            case, tensors = json.loads(sidecar.read_text()), read(sidecar.with_suffix(".safetensors"))
            mask, params = mask_of(case, folder)
            inputs = {n: tensors[n].astype(np.float32) for n in ("q", "k", "v", "sinks", "dout") if n in tensors}
            write(folder / "in.safetensors", {**inputs, **params})
            done = subprocess.run([program, "run", mask, "--inputs", folder / "in.safetensors", "--out",
                                   folder / "out.safetensors", "--target", target, "--dtype", dtype, "--backward",
                                   "--scale", str(case["scale"])], capture_output=True, text=True)
            if done.returncode:
                faults.append(f"{case['name']}: {done.stderr.strip()}")
                continue
            got = read(folder / "out.safetensors")
            wanted = ["out", "lse", "dq", "dk", "dv"] + (["dsinks"] if case["sinks"] else [])
            for name in wanted:
                count += 1
                if fault := fails(name, got[name].astype(np.float64), tensors[name].astype(np.float64), dtype != "f32"):
                    faults.append(f"{case['name']} {name}: {fault}")
    print(f"{count} tensors compared on {target} in {dtype}, {len(faults)} faults", *faults, sep="\n")
    return 1 if faults or count < 140 else 0


if __name__ == "__main__":
    sys.exit(main())
