#!/usr/bin/env python3
"""Convolutions by PyTorch, for compare_ops.py: understands the "conv" lines of kernel_server and
answers as it does. Tensors are channels-last; the gradients are those that training asks for.

    peer_ops.py THREADS
    peer_ops.py --blas        prints the OpenBLAS that NumPy brings along, if it does
"""
import json
import pathlib
import statistics
import sys
import time


def measure(run, flops, budget):
    """As kernel_server: samples of at least a millisecond, after one call that warms up."""
    run()
    start = time.perf_counter()
    run()
    calls = max(1, int(1e-3 / max(time.perf_counter() - start, 1e-8)))
    wall, cpu = [], []
    end = time.perf_counter() + budget
    while len(wall) < 3 or time.perf_counter() < end:
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        for _ in range(calls):
            run()
        cpu.append((time.process_time() - cpu_start) / calls)
        wall.append((time.perf_counter() - wall_start) / calls)
    used = sum(cpu) / sum(wall)  # processor time of other threads is counted late: not per sample
    return {"wall": statistics.median(wall), "cpu": statistics.median(cpu), "used": used,
            "flops": flops}


def convolution(torch, words):
    direction = words[0]
    batch, size, inputs, outputs, kernel, stride, groups = map(int, words[1:8])
    padding, out_size = kernel // 2, (size - 1) // stride + 1

    def tensor(*sizes):
        return torch.rand(*sizes).to(memory_format=torch.channels_last)

    x = tensor(batch, inputs, size, size)
    w = tensor(outputs, inputs // groups, kernel, kernel)
    dy = tensor(batch, outputs, out_size, out_size)

    def forward():
        return torch.nn.functional.conv2d(x, w, None, stride, padding, 1, groups)

    def backward(wanted):
        return lambda: torch.ops.aten.convolution_backward(
            dy, x, w, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], groups, wanted)

    run = {"forward": forward, "input": backward([True, False, False]),
           "weight": backward([False, True, False])}[direction]
    flops = 2 * batch * out_size * out_size * kernel * kernel * outputs * inputs // groups
    return measure(run, flops, 1e-3 * float(words[8]))


def serve(threads):
    import torch
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    print(json.dumps({"version": f"torch {torch.__version__}"}), flush=True)
    for line in sys.stdin:
        what, *words = line.split()
        if what != "conv":
            sys.exit(f"peer_ops: cannot read '{line.strip()}'")
        print(json.dumps(convolution(torch, words)), flush=True)


def print_blas():
    import numpy
    folder = pathlib.Path(numpy.__file__).parent.parent / "numpy.libs"
    print(next((str(file) for file in sorted(folder.glob("*openblas*"))), ""))


if __name__ == "__main__":
    if sys.argv[1:] == ["--blas"]:
        print_blas()
    else:
        serve(int(sys.argv[1]))
