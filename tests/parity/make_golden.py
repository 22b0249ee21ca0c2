#!/usr/bin/env python3
"""Golden numbers of whole models, computed by PyTorch, for the C++ parity test.

Contract. The networks and all their inputs come from `reference_models.py`; what is written here
are results only: logits, losses, and of each gradient and running statistic its norm and
projections

    p_j(g) = sum_k g[k] * (bit j of bits(name + "#sign", k) set ? -1 : +1)

with k row-major in PyTorch's layout. `README.md` holds the schema and the bounds tested.

    make_golden.py [--out DIR] [--only NAME ...]   writes DIR/NAME.json
    make_golden.py --check          parameter counts and the DIA cell against the published numbers,
                                    the independent nets against timm's, diffusers'
    make_golden.py --conditioning   how far reordered and nudged f64 runs move the numbers
"""
import argparse
import json
import math
import pathlib
import statistics
import warnings
from contextlib import nullcontext

import numpy as np
import torch

from reference_models import MODELS, TWINS, Example, build, make_optimizer, settings
from reference_nets import DiaCell, ResNet, bits, uniform

GRADIENT_PROJECTIONS, STATISTIC_PROJECTIONS = 16, 4
GRADIENT_FLOOR = 1e-6  # of the norm of all gradients: the least that an error is divided by


# ---------------------------------------------------------------- measurements

def nudged(net, amount):
    """Multiplies each parameter by 1 +- amount, which stands for another rounding error."""
    with torch.no_grad():
        for n, p in net.named_parameters():
            p.mul_(1.0 + amount * torch.sign(uniform(n + "#nudge", p.shape)))
    return net


def one_pass(name, dtype=torch.float64, batch=0, order=None, layout=torch.contiguous_format,
             onednn=True, nudge=0.0, make=None):
    """Training forward and backward of one batch at the initial weights, then an eval forward.

    `order` permutes the images, `layout` is the memory format, `onednn` allows that library: the
    same mathematics, summed differently. `make` stands in for the network. Every tensor of the
    result is f64, images in order."""
    s, net = settings(name), build(name, dtype, make).to(memory_format=layout)
    order = torch.arange(s["batch"]) if order is None else order
    example = Example(s, batch, dtype, order, layout)
    backend = nullcontext() if onednn else torch.backends.mkldnn.flags(enabled=False)
    with backend:
        logits = example.call(nudged(net, nudge))
        loss = example.loss(logits)
        loss.backward()
        with torch.no_grad():
            eval_logits = example.call(net.eval())
    back = order.argsort()
    return {"logits": logits.detach().double()[back], "eval_logits": eval_logits.double()[back],
            "loss": loss.item(),
            "gradients": {n: p.grad.double() for n, p in net.named_parameters()},
            "statistics": {n: b.double() for n, b in net.named_buffers() if "running" in n}}


def losses(name, nudge=0.0):
    """The loss before each update; step s sees batch s."""
    s, net, result = settings(name), nudged(build(name), nudge), []
    optimizer = make_optimizer(net, s)
    for step in range(s["steps"]):
        example = Example(s, step)
        loss = example.loss(example.call(net))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        result.append(loss.item())
    return result


def relative(got, want, floor=0.0):
    return ((got - want).norm() / want.norm().clamp(min=floor)).item()


def errors(got, want):
    """Relative errors of a run: logits by their largest entry, other tensors by their norm, which
    counts as GRADIENT_FLOOR of all gradients at least. `statistics` where there are any."""
    peak = {k: ((got[k] - want[k]).abs().max() / want[k].abs().max()).item()
            for k in ("logits", "eval_logits")}
    whole = [torch.cat([run["gradients"][n].flatten() for n in want["gradients"]])
             for run in (got, want)]
    floor = GRADIENT_FLOOR * whole[1].norm().item()
    each = {n: relative(got["gradients"][n], g, floor) for n, g in want["gradients"].items()}
    stats = [relative(got["statistics"][n], b) for n, b in want["statistics"].items()]
    return peak | {"loss": abs(got["loss"] / want["loss"] - 1.0), "all_gradients": relative(*whole),
                   "worst_gradient": max(each.values()), "gradients": each,
                   **({"statistics": max(stats)} if stats else {})}


def f32_errors(name):
    """Medians over batches of the f32 error, for three of PyTorch's ways to compute."""
    ways = {"plain": {}, "no_onednn": {"onednn": False},
            "channels_last": {"layout": torch.channels_last}}
    runs = {way: [] for way in ways}
    for batch in range(settings(name)["f32_batches"]):
        want = one_pass(name, batch=batch)
        for way, options in ways.items():
            got = one_pass(name, torch.float32, batch, **options)
            runs[way].append(errors(got, want))
    summary = {way: medians(errors_of) for way, errors_of in runs.items()}
    each = medians([e["gradients"] for e in runs["plain"]])
    return summary, each


def medians(records):
    keys = [k for k, v in records[0].items() if isinstance(v, float)]
    return rounded({k: statistics.median(r[k] for r in records) for k in keys})


def rounded(figures):
    return {k: float(f"{v:.3e}") for k, v in figures.items()}


def sketch(name, tensor, count):
    """Norm and `count` random +-1 projections of a tensor, in row-major order."""
    values = tensor.flatten().numpy()
    z = bits(name + "#sign", values.size)
    signs = (1.0 - 2.0 * ((z >> np.uint64(j)) & np.uint64(1)).astype(float) for j in range(count))
    return [math.sqrt(math.fsum(values * values))] + [math.fsum(values * s) for s in signs]


def numbers(name, output):
    """Logits as they are; a sketch of images."""
    return output.tolist() if output.dim() == 2 else sketch(name, output, GRADIENT_PROJECTIONS)


# ---------------------------------------------------------------- commands

def golden(name):
    want, (summary, each) = one_pass(name), f32_errors(name)
    return settings(name) | {
        "torch": torch.__version__.split("+")[0],
        "parameters": sum(g.numel() for g in want["gradients"].values()),
        "logits": numbers("logits", want["logits"]),
        "eval_logits": numbers("eval_logits", want["eval_logits"]),
        "loss": want["loss"],
        "losses": losses(name),
        "f32_errors": summary,
        "f32_gradient_errors": each,
        "gradients": {n: sketch(n, g, GRADIENT_PROJECTIONS) for n, g in want["gradients"].items()},
        "statistics": {n: sketch(n, b, STATISTIC_PROJECTIONS)
                       for n, b in want["statistics"].items()},
    }


def dump(record):
    """JSON with one line per entry; floats in shortest form that reads back to the same bits."""
    def lines(value, indent):
        if not isinstance(value, dict):
            return json.dumps(value)
        body = (f'{indent} "{k}": {lines(v, indent + " ")}' for k, v in value.items())
        return "{\n" + ",\n".join(body) + "\n" + indent + "}"
    return lines(record, "") + "\n"


def conditioning(name):
    """Largest deviation of reordered and nudged f64 runs from the plain one."""
    want, eps = one_pass(name), 2.0**-52
    ways = ({"order": torch.arange(len(want["logits"])).flip(0)}, {"layout": torch.channels_last},
            {"nudge": eps}, {"nudge": -eps})
    runs = [errors(one_pass(name, **way), want) for way in ways]
    worst = {k: max(r[k] for r in runs) for k, v in runs[0].items() if isinstance(v, float)}
    pairs = [(a, b) for way in (eps, -eps) for a, b in zip(losses(name, way), losses(name))]
    worst["losses"] = max(abs(a / b - 1.0) for a, b in pairs)
    return rounded(worst)


PARAMETERS = (  # depth, classes, base, SE16 in each block, DIA-LSTM r=4 in each stage
    (20, 10, 272474, 274847, 286866), (20, 100, 278324, 280697, 292716),
    (56, 10, 855770, 862889, 870162), (56, 100, 861620, 868739, 876012),
    (110, 10, 1730714, 1744952, 1745106), (110, 100, 1736564, 1750802, 1750956),
    (83, 100, 892660, 993712, 1111508), (164, 10, 1704154, 1906258, 1923002),
    (164, 100, 1727284, 1929388, 1946132), (245, 100, 2561908, 2865064, 2780756),
    (326, 100, 3396532, 3800740, 3615380), (407, 100, 4231156, 4736416, 4450004))


def published_counts():
    good = True
    for depth, classes, *published in PARAMETERS:
        bottleneck = depth not in (20, 56, 110)
        nets = [ResNet(depth, classes, *kind, bottleneck=bottleneck)
                for kind in (("none", "block"), ("se", "block"), ("dia-lstm", "stage"))]
        counted = [sum(p.numel() for p in net.parameters()) for net in nets]
        good &= counted == published
        verdict = "equal" if counted == published else f"published {published}"
        print(f"ResNet-{depth:<4}{classes:>4} classes {counted} {verdict}")
    return good


def published_cell():
    """The golden vector of the DIA cell: C=4, m=2, weights 0.5 sin(0.7 k + s)."""
    cell = DiaCell(4, 2).double()
    for i, p in enumerate(cell.parameters(), 1):
        k = torch.arange(p.numel(), dtype=torch.float64)
        p.data = (0.5 * torch.sin(0.7 * k + 0.1 * i)).reshape(p.shape)
    h = c = torch.zeros(1, 4, dtype=torch.float64)
    for t in range(3):
        h, c = cell(torch.cos(0.9 * (4 * t + torch.arange(4, dtype=torch.float64)))[None], (h, c))
    want = torch.tensor([[0.127288, 0.396925, 0.382732, 0.153721],
                         [-0.631352, 1.290434, 0.773711, 0.140911]], dtype=torch.float64)
    gap = (torch.cat((h, c)) - want).abs().max().item()
    print(f"DIA cell after three steps: off by {gap:.1e} (published with six decimals)")
    return gap < 1e-6


def independent_nets():
    """The independent nets against timm's and diffusers': one batch in f64."""
    good = True
    for name, twin in TWINS.items():
        gaps = errors(one_pass(name, make=twin), one_pass(name))
        del gaps["gradients"]
        good &= max(gaps.values()) < 1e-12
        print(f"{name}: the independent net is off by {rounded(gaps)}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path,
                        default=pathlib.Path(__file__).parent / "golden")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS), metavar="NAME")
    parser.add_argument("--check", action="store_true", help="compare with published numbers, stop")
    parser.add_argument("--conditioning", action="store_true", help="print it and stop")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    warnings.filterwarnings("ignore", message="TF32")
    if args.check:
        return 0 if published_counts() & published_cell() & independent_nets() else 1
    for name in args.only:
        if args.conditioning:
            print(name, conditioning(name), flush=True)
            continue
        args.out.mkdir(parents=True, exist_ok=True)
        path = args.out / f"{name}.json"
        path.write_text(dump(golden(name)))
        print(f"{path}: {path.stat().st_size} bytes", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
