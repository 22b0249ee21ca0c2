#!/usr/bin/env python3
"""Compares every value of one training step with PyTorch, live.

Contract. `--ours` is a safetensors file (F64 or F32) with, under state-dict names and in PyTorch's
layouts: the parameters before the step, the running statistics after its forward, `grad/<name>` of
every parameter, and `logits` of training mode; weights and batch 0 as in `reference_nets.py`.
Errors are relative to a tensor's norm, of logits to the largest one. Prints a table (every tensor
with --all, else the worst of each kind); exit 1 if a tensor is missing or off by more than its
bound. The bounds fit F64; for F32 give them, and read PyTorch's own f32 error in the next column.

    compare_full.py --model resnet20-dia-lstm --ours step.safetensors [--all]
"""
import argparse
import json
import math
import pathlib
import struct

import numpy as np
import torch

from make_golden import one_pass, relative
from reference_models import MODELS, build

DTYPES = {"F64": "<f8", "F32": "<f4"}


def read_safetensors(path):
    """Tensors by name; checks the header's sizes before it trusts them."""
    data = pathlib.Path(path).read_bytes()
    if len(data) < 8:
        raise SystemExit(f"{path}: {len(data)} bytes, shorter than a safetensors header")
    (length,) = struct.unpack_from("<Q", data)
    if length > len(data) - 8:
        raise SystemExit(f"{path}: header of {length} bytes in a file of {len(data)} bytes")
    header, body = json.loads(data[8:8 + length]), data[8 + length:]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in DTYPES:
            continue
        begin, end = entry["data_offsets"]
        dtype, count = np.dtype(DTYPES[entry["dtype"]]), math.prod(entry["shape"])
        if not 0 <= begin <= end <= len(body) or end - begin != count * dtype.itemsize:
            raise SystemExit(f"{path}: {name} {entry} does not fit {len(body)} bytes of data")
        values = np.frombuffer(body, dtype, count, begin).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors


def reference(model, dtype):
    """Kind and value of each tensor that `--ours` should hold."""
    step = one_pass(model, dtype)
    weights = {n: p.detach().double() for n, p in build(model, dtype).named_parameters()}
    return ({n: ("weight", t) for n, t in weights.items()}
            | {n: ("statistic", t) for n, t in step["statistics"].items()}
            | {f"grad/{n}": ("gradient", t) for n, t in step["gradients"].items()}
            | {"logits": ("logits", step["logits"])})


def difference(kind, got, want):
    if kind == "logits":
        return ((got - want).abs().max() / want.abs().max()).item()
    return relative(got, want)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, choices=MODELS)
    parser.add_argument("--ours", required=True, metavar="FILE")
    parser.add_argument("--all", action="store_true", help="one row per tensor")
    bounds = {"weight": 0.0, "statistic": 1e-12, "gradient": 1e-9, "logits": 1e-12}
    for kind, bound in bounds.items():
        parser.add_argument(f"--{kind}", type=float, default=bound, metavar="BOUND",
                            help=f"largest relative error, default {bound:g}")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    ours = read_safetensors(args.ours)
    single = any(t.dtype == torch.float32 for t in ours.values())
    want, own = reference(args.model, torch.float64), reference(args.model, torch.float32)
    rows, bad = [], []
    for name, (kind, value) in want.items():
        if name not in ours or ours[name].shape != value.shape:
            shape = list(ours[name].shape) if name in ours else "missing"
            bad.append(f"{name}: {shape}, expected {list(value.shape)}")
            continue
        value = own[name][1] if kind == "weight" and single else value
        error = difference(kind, ours[name].double(), value)
        rows.append((kind, error, difference(kind, own[name][1], want[name][1]), name))
        if not error <= getattr(args, kind):
            bad.append(f"{name}: {kind} is off by {error:.2e}, bound {getattr(args, kind):.0e}")
    print(f"{'kind':<10} {'ours':>9} {'torch f32':>9}  tensor")
    kinds = dict.fromkeys(row[0] for row in rows)
    shown = rows if args.all else [max(r for r in rows if r[0] == kind) for kind in kinds]
    for kind, error, f32, name in shown:
        print(f"{kind:<10} {error:9.2e} {f32:9.2e}  {name}")
    extra = sorted(set(ours) - set(want))
    print(f"{len(rows)} of {len(want)} tensors compared"
          + (f"; not expected: {' '.join(extra[:8])}" if extra else ""))
    print("\n".join(bad[:20] + ([f"... {len(bad) - 20} more"] if len(bad) > 20 else [])) or "equal")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
