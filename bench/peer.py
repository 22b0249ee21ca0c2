#!/usr/bin/env python3
"""One net of the comparison in PyTorch: whole training steps (gradients cleared, forward, loss,
backward, fused optimizer) on random images. The ResNets are those of the parity test; the U-net's
loss is that of denoising.

    peer.py --model resnet20 --attention dia-lstm [--width 16] [--batch 128] [--threads 2]
            [--optimizer sgd|adamw] [--image 32] [--classes 10] [--layout nchw|nhwc] [--compile]
            [--bf16] [--warmup 3] [--steps 5] [--serve | --memory]

Prints JSON, an object a line: images_per_second and step_ms {median, min, max} of the timed steps.

--serve   What compare.py talks to. After the warm-up, {"ready": true, "version": ..., "malloc":
          "tcmalloc" or "libc", "parameters": ..., "warmup_ms": of its fastest step}; then, for each
          line on standard input, the timed steps and their object.
--memory  {"peak_memory_bytes": ...}: the largest resident size of ten steps less that before them.

Tensors are contiguous (nchw) or channels_last (nhwc), eager or under torch.compile, float32 or under
bf16 autocast.
"""
import argparse
import json
import pathlib
import resource
import sys
import time

import torch
from torch.nn import functional as F

import peer_unet
import peer_vit

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "parity"))
from reference_nets import ATTENTION, ResNet  # noqa: E402

NAMED = (*peer_vit.SIZES, *peer_unet.SIZES)


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", default="resnet20",
                        help="resnet<depth>, " + ", ".join(NAMED))
    parser.add_argument("--attention", default="none", choices=sorted(ATTENTION))
    parser.add_argument("--width", type=int, default=16,
                        help="channels of the first stage of a ResNet or U-net")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--optimizer", default="sgd", choices=["sgd", "adamw"])
    parser.add_argument("--image", type=int, default=32, help="pixels of a side")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layout", default="nchw", choices=["nchw", "nhwc"])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    depth = arguments.model.removeprefix("resnet")
    if arguments.model not in NAMED and not depth.isdigit():
        parser.error(f"--model: '{arguments.model}' is neither resnet<depth> nor one of "
                     f"{', '.join(NAMED)}")
    return arguments


def loaded_libraries():
    with open("/proc/self/maps") as maps:
        return maps.read()


def refuse_two_pools():
    """OpenBLAS with threads of its own fights PyTorch's OpenMP over the cores: it would be no peer."""
    torch.randn(64, 64) @ torch.randn(64, 64)  # loads it
    if "openblas-pthread" in loaded_libraries():
        sys.exit("peer: this PyTorch computes on openblas-pthread, which has a thread pool of "
                 "its own; use the one from PyPI, or libopenblas0-openmp")


def make_model(arguments):
    if arguments.model in peer_vit.SIZES:
        return peer_vit.ViT(peer_vit.SIZES[arguments.model], arguments.image, arguments.classes,
                            ATTENTION[arguments.attention])
    if arguments.model in peer_unet.SIZES:
        size = peer_unet.SIZES[arguments.model]._replace(base=arguments.width)
        return peer_unet.UNet(size, arguments.image, ATTENTION[arguments.attention])
    sharing = "stage" if arguments.attention == "dia-lstm" else "block"
    return ResNet(int(arguments.model.removeprefix("resnet")), arguments.classes,
                  arguments.attention, sharing, base=arguments.width)


def make_optimizer(name, parameters):
    if name == "adamw":
        return torch.optim.AdamW(parameters, lr=1e-6, weight_decay=0.05, fused=True)
    return torch.optim.SGD(parameters, lr=1e-6, momentum=0.9, weight_decay=1e-4, fused=True)


def step_function(arguments):
    """The model, and a function that runs one training step on a fixed batch."""
    torch.manual_seed(0)
    model = make_model(arguments)
    x = torch.randn(arguments.batch, 3, arguments.image, arguments.image)
    y = torch.arange(arguments.batch) % arguments.classes
    if arguments.layout == "nhwc":
        model = model.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    optimizer = make_optimizer(arguments.optimizer, model.parameters())

    def loss_of(images, labels):
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bf16):
            if arguments.model in peer_unet.SIZES:
                return model(images)
            return F.cross_entropy(model(images).float(), labels)

    forward = torch.compile(loss_of) if arguments.compile else loss_of

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
    warmup = timed(step, arguments.warmup, arguments.batch)
    if not arguments.serve:
        say(timed(step, arguments.steps, arguments.batch))
        return
    say({"ready": True, "version": f"torch {torch.__version__}",
         "malloc": "tcmalloc" if "tcmalloc" in loaded_libraries() else "libc",
         "parameters": sum(p.numel() for p in model.parameters()),
         "warmup_ms": warmup["step_ms"]["min"]})
    for _ in sys.stdin:
        say(timed(step, arguments.steps, arguments.batch))


if __name__ == "__main__":
    main()
