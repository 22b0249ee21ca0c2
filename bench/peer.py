#!/usr/bin/env python3
"""One net of the comparison in PyTorch: whole training steps (gradients cleared, forward, loss,
backward, SGD with momentum), float32, on random images. The nets are those of the parity test.

    peer.py --model resnet20 --attention dia-lstm [--width 16] [--batch 128] [--threads 2]
            [--mode nchw|nhwc|compile] [--warmup 3] [--steps 5] [--serve | --memory]

Prints JSON, an object a line: images_per_second and step_ms {median, min, max} of the timed steps.

--serve   What compare.py talks to. After the warm-up, {"ready": true, "version": ..., "parameters":
          ...}; then, for each line on standard input, the timed steps and their object.
--memory  {"peak_memory_bytes": ...}: the largest resident size of ten steps less that before them.

The modes are eager with contiguous tensors (nchw), eager with channels_last (nhwc) and
torch.compile of the channels_last model (compile).
"""
import argparse
import json
import pathlib
import resource
import sys
import time

import torch
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "parity"))
from reference_nets import ATTENTION, ResNet  # noqa: E402


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", default="resnet20", help="resnet<depth>")
    parser.add_argument("--attention", default="none", choices=sorted(ATTENTION))
    parser.add_argument("--width", type=int, default=16, help="channels of the first stage")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mode", default="nchw", choices=["nchw", "nhwc", "compile"])
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    depth = arguments.model.removeprefix("resnet")
    if not depth.isdigit():
        parser.error(f"--model: '{arguments.model}' is not resnet<depth>")
    arguments.depth = int(depth)
    return arguments


def refuse_two_pools():
    """OpenBLAS with threads of its own fights PyTorch's OpenMP over the cores: it would be no peer."""
    torch.randn(64, 64) @ torch.randn(64, 64)  # loads it
    with open("/proc/self/maps") as maps:
        if any("openblas-pthread" in line for line in maps):
            sys.exit("peer: this PyTorch computes on openblas-pthread, which has a thread pool of "
                     "its own; use the one from PyPI, or libopenblas0-openmp")


def step_function(arguments):
    """The model, and a function that runs one training step on a fixed batch."""
    torch.manual_seed(0)
    sharing = "stage" if arguments.attention == "dia-lstm" else "block"
    model = ResNet(arguments.depth, 10, arguments.attention, sharing, base=arguments.width)
    x = torch.randn(arguments.batch, 3, 32, 32)
    y = torch.arange(arguments.batch) % 10
    if arguments.mode != "nchw":
        model = model.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9, weight_decay=1e-4)

    def loss_of(images, labels):
        return F.cross_entropy(model(images), labels)

    forward = torch.compile(loss_of) if arguments.mode == "compile" else loss_of

    def step():
        optimizer.zero_grad()
        loss = forward(x, y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return model, step


def timed(step, steps, batch):
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    seconds.sort()
    half = len(seconds) // 2
    median = seconds[half] if len(seconds) % 2 else 0.5 * (seconds[half - 1] + seconds[half])
    return {"images_per_second": batch / median,
            "step_ms": {"median": 1e3 * median, "min": 1e3 * seconds[0], "max": 1e3 * seconds[-1]}}


def resident_peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def say(answer):
    print(json.dumps(answer), flush=True)


def main():
    arguments = read_arguments()
    torch.set_num_threads(arguments.threads)
    refuse_two_pools()
    model, step = step_function(arguments)
    if arguments.memory:
        before = resident_peak()
        for _ in range(10):
            step()
        say({"peak_memory_bytes": resident_peak() - before})
        return
    for _ in range(arguments.warmup):
        step()
    if not arguments.serve:
        say(timed(step, arguments.steps, arguments.batch))
        return
    say({"ready": True, "version": f"torch {torch.__version__}",
         "parameters": sum(p.numel() for p in model.parameters())})
    for _ in sys.stdin:
        say(timed(step, arguments.steps, arguments.batch))


if __name__ == "__main__":
    main()
