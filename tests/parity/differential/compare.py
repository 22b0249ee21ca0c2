#!/usr/bin/env python3
"""Compares every operation of diagrad with PyTorch on random cases, forward and backward.

The program `differential` draws the cases and runs them; this one runs the same inputs through
PyTorch in f64 and f32. Rules, for each output and gradient:
  f64   NaN and infinities at the same places, the rest within 1e-12 of the largest |value|;
  f32   NaN and infinities where PyTorch's f32 has them (or its f64, where the two disagree), the
        largest error against PyTorch's f64 at most 4 times that of PyTorch's f32, + 4 ulp of the
        largest |value|; the size of a tensor that is 0 but for rounding is that of its dy;
  fast  (3x3 convolutions) the error of each element within fast_bound.py's.
Prints a line per tensor that differs and a table; exit code 1 where one differs that known.py does
not list. Needs: pip install torch numpy safetensors.

    compare.py --program build/release/tests/differential [--cases 12] [--seed 1] [--golden]
"""
import argparse
import collections
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from fast_bound import fast_bound
from known import known_elements
from reference import REFERENCES

F64_TOLERANCE = 1e-12
GOLDEN = pathlib.Path(__file__).parent.parent / "golden" / "differential.safetensors"
GOLDEN_CASES = 3  # of each operation: plain, special, grid
GOLDEN_SEED = 1
GOLDEN_ELEMENTS = 2500  # of the largest tensor that is stored


def run_program(program, seed, cases):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/cases.safetensors"
        subprocess.run([program, path, str(seed), str(cases)], check=True)
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        return json.loads(metadata["cases"]), load_file(path)


def torch_results(case, tensors, dtype):
    """Outputs and gradients by name, as `evaluate` of the C++ side names them."""
    name = f"{case['operation']}/{case['number']}"
    inputs = []
    for i, differentiable in enumerate(case["differentiable"]):
        value = tensors.get(f"{name}/input/{i}")
        if value is not None and value.is_floating_point():
            value = value.to(dtype).clone().requires_grad_(differentiable)
        inputs.append(value)
    outputs = REFERENCES[case["operation"]](inputs, case["options"])
    results = {f"output/{k}": output.detach() for k, output in enumerate(outputs)}
    roots = {k: output for k, output in enumerate(outputs) if output.requires_grad}
    leaves = {i: x for i, x in enumerate(inputs) if x is not None and x.requires_grad}
    if roots:
        cotangents = [tensors[f"{name}/f64/cotangent/{k}"].to(y.dtype) for k, y in roots.items()]
        gradients = torch.autograd.grad(list(roots.values()), list(leaves.values()), cotangents,
                                        allow_unused=True)
        for (i, x), gradient in zip(leaves.items(), gradients):
            results[f"gradient/{i}"] = torch.zeros_like(x) if gradient is None else gradient
    return {key: value.detach().double() for key, value in results.items()}


def same_kind(a, b):
    """Where both are NaN, the same infinity, or finite."""
    return (a.isnan() & b.isnan()) | (a == b) | (a.isfinite() & b.isfinite())


def ulp(value):
    return 2.0 ** (math.floor(math.log2(value)) - 23) if value > 0 else 0.0


def largest(x):
    finite = x[x.isfinite()].abs()
    return finite.max().item() if finite.numel() else 0.0


Checked = collections.namedtuple("Checked", "bad ours theirs allowed")


def check(ours, single, want, own, bound, ignored, dy):
    """Ours against PyTorch's f64 (`want`) and f32 (`own`); `ignored` elements may differ. Where all
    is 0 but for rounding (a gradient of softmax for a constant dy), dy gives the size."""
    error = (ours - want).abs()
    error_of_torch = torch.where(ignored, 0.0, (own - want).abs())
    peak, size_of_dy = largest(want), 0.0 if dy is None else largest(dy)
    if peak < F64_TOLERANCE * size_of_dy:
        peak = size_of_dy
    allowed = F64_TOLERANCE * peak
    if single:
        allowed = 4.0 * largest(error_of_torch) + 4.0 * ulp(peak)
    if bound is not None:
        allowed = bound
    kind = same_kind(ours, want) | (same_kind(ours, own) if single else False)
    bad = ~kind | (ours.isfinite() & want.isfinite() & (error > allowed))
    return Checked(bad, largest(torch.where(ignored, 0.0, error)), largest(error_of_torch), allowed)


def describe(case, dtype, tensor, ours, want, own, checked, bad):
    index = bad.nonzero()[0].tolist()
    at = tuple(index)
    allowed = checked.allowed if isinstance(checked.allowed, float) else checked.allowed[at].item()
    layouts = " ".join(case["layouts"])
    return (f"{case['operation']}/{case['number']} ({case['values']}; {layouts}) {dtype} {tensor}"
            f"{index}: ours {ours[at].item():.9g}, PyTorch {want[at].item():.17g} in f64 "
            f"{own[at].item():.9g} in f32, allowed {allowed:.2g}, {int(bad.sum())} of {bad.numel()}"
            f" elements; options {json.dumps(case['options'])}")


class Tally:
    """What the table shows of one operation."""

    def __init__(self):
        self.cases = self.tensors = self.differ = self.known = 0
        self.f64 = self.f32 = 0.0

    def add(self, single, checked, want):
        self.tensors += 1
        if single:
            self.f32 = max(self.f32, checked.ours / (checked.theirs + ulp(largest(want)) or math.inf))
        else:
            self.f64 = max(self.f64, checked.ours / (largest(want) or math.inf))


def compare_case(case, tensors, tally, lines, golden):
    name = f"{case['operation']}/{case['number']}"
    results = [torch_results(case, tensors, dtype) for dtype in (torch.float64, torch.float32)]
    x = [tensors.get(f"{name}/input/{i}") for i in range(len(case["differentiable"]))]
    if any(f"{name}/f64/{key}" not in tensors for key in results[0]):
        raise SystemExit(f"{name}: PyTorch gives {sorted(results[0])}, ours has other results")
    for tensor, want in results[0].items():
        own, equal = results[1][tensor], True
        dy = tensors.get(f"{name}/f64/cotangent/0")
        ignored = known_elements(case["operation"], tensor, x, case["options"], dy, want)
        for single in (False, True):
            dtype = "f32" if single else "f64"
            ours = tensors[f"{name}/{dtype}/{tensor}"].double()
            if ours.shape != want.shape:
                raise SystemExit(f"{name} {tensor}: ours {ours.shape}, PyTorch {want.shape}")
            bound = None
            if single and case["math"] == "fast":
                bound = fast_bound(tensor, x, case["options"], dy, want.shape)
            checked = check(ours, single, want, own, bound, ignored, dy)
            tally.add(single, checked, want)
            tally.known += bool((checked.bad & ignored).any())
            bad = checked.bad & ~ignored
            equal = equal and not checked.bad.any()
            if bad.any():
                tally.differ += 1
                lines.append(describe(case, dtype, tensor, ours, want, own, checked, bad))
        if equal and case["number"] < GOLDEN_CASES and want.numel() <= GOLDEN_ELEMENTS:
            golden.add(case, tensor, want, own)


class Golden:
    """PyTorch's results of the first cases, for the suites."""

    def __init__(self):
        self.tensors, self.errors, self.checksums = {}, {}, {}

    def add(self, case, tensor, want, own):
        name = f"{case['operation']}/{case['number']}"
        self.tensors[f"{name}/{tensor}"] = want.clone(memory_format=torch.contiguous_format)
        self.checksums[name] = case["checksum"]
        if case["math"] == "exact" and same_kind(want, own).all():
            self.errors[f"{name}/{tensor}"] = largest((own - want).abs())

    def write(self):
        save_file(self.tensors, GOLDEN, {
            "torch": torch.__version__, "seed": str(GOLDEN_SEED),
            "f32_errors": json.dumps(self.errors), "checksums": json.dumps(self.checksums)})
        print(f"{GOLDEN}: {len(self.tensors)} tensors, {GOLDEN.stat().st_size} bytes")


def print_table(tallies):
    print(f"{'operation':<24} {'cases':>5} {'tensors':>7} {'differ':>6} {'known':>5} "
          f"{'f64 error':>9} {'f32 / PyTorch':>13}")
    for name, tally in tallies.items():
        print(f"{name:<24} {tally.cases:5} {tally.tensors:7} {tally.differ:6} {tally.known:5} "
              f"{tally.f64:9.1e} {tally.f32:13.2f}")
    print(f"{len(tallies)} operations, {sum(t.cases for t in tallies.values())} cases, "
          f"{sum(t.tensors for t in tallies.values())} tensors, "
          f"{sum(t.differ for t in tallies.values())} differ, "
          f"{sum(t.known for t in tallies.values())} differ as listed; PyTorch {torch.__version__}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, metavar="FILE", help="the built `differential`")
    parser.add_argument("--cases", type=int, default=12, help="of each operation, default 12")
    parser.add_argument("--seed", type=int, default=GOLDEN_SEED)
    parser.add_argument("--golden", action="store_true",
                        help=f"write {GOLDEN.name}: what agrees of the first {GOLDEN_CASES} cases")
    args = parser.parse_args()
    if args.golden and args.seed != GOLDEN_SEED:
        parser.error(f"the golden file holds cases of seed {GOLDEN_SEED}")
    torch.set_num_threads(1)
    cases, tensors = run_program(args.program, args.seed, args.cases)
    missing = sorted({case["operation"] for case in cases} - set(REFERENCES))
    if missing:
        raise SystemExit(f"reference.py has no {', '.join(missing)}")
    tallies, lines, golden = collections.defaultdict(Tally), [], Golden()
    for case in cases:
        tally = tallies[case["operation"]]
        tally.cases += 1
        compare_case(case, tensors, tally, lines, golden)
    print("\n".join(lines))
    print_table(tallies)
    if args.golden:
        golden.write()
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
