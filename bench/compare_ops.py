#!/usr/bin/env python3
"""diagrad's matrix products and convolutions beside others, in turn: convolutions by PyTorch
(oneDNN, channels-last), products by OpenBLAS.

    compare_ops.py [--server build/release/bench/kernel_server] [--python python3] [--blas LIBRARY]
                   [--repeat 7] [--threads 1] [--ms 30] [FILTER ...]

Each side is one process that keeps its threads; for each operation they take turns --repeat times,
--ms milliseconds each. A row has GF/s of both (medians; 1e9 flops of the direct computation per
second) and the ratio ours / theirs of the same repetition: median [least .. largest]. On one thread
the clock counts the time of the process, so that a busy machine matters little; on more it is that
of the wall, a turn begins after a pause in which the other side's threads fall asleep, and a row with
a * did not keep both of its threads busy: too small to be shared, or kept from running.

FILTER: a regular expression that operations must contain; --list names them.
"""
import argparse
import json
import re
import statistics
import subprocess
import sys
import time

from compare import HERE, spread

PAUSE = 0.2  # seconds; idle threads of OpenBLAS and OpenMP keep a processor busy for a while
BUSY = 0.85  # share of its threads' time below which a side did not use them

# name: batch, size, inputs, outputs, kernel, stride, groups
CONVOLUTIONS = {
    "3x3 16 at 32": (128, 32, 16, 16, 3, 1, 1),
    "3x3 32 at 16": (128, 16, 32, 32, 3, 1, 1),
    "3x3 64 at 8": (128, 8, 64, 64, 3, 1, 1),
    "3x3 64 at 32": (64, 32, 64, 64, 3, 1, 1),
    "3x3 128 at 16": (64, 16, 128, 128, 3, 1, 1),
    "3x3 256 at 8": (64, 8, 256, 256, 3, 1, 1),
    "stem 3->16 at 32": (128, 32, 3, 16, 3, 1, 1),
    "stride 2 16->32 at 32": (128, 32, 16, 32, 3, 2, 1),
    "stride 2 32->64 at 16": (128, 16, 32, 64, 3, 2, 1),
    "stride 2 64->128 at 32": (64, 32, 64, 128, 3, 2, 1),
    "stride 2 128->256 at 16": (64, 16, 128, 256, 3, 2, 1),
    "1x1 64->16 at 32": (64, 32, 64, 16, 1, 1, 1),
    "1x1 16->64 at 32": (64, 32, 16, 64, 1, 1, 1),
    "1x1 128->32 at 16": (64, 16, 128, 32, 1, 1, 1),
    "1x1 32->128 at 16": (64, 16, 32, 128, 1, 1, 1),
    "1x1 256->64 at 8": (64, 8, 256, 64, 1, 1, 1),
    "1x1 64->256 at 8": (64, 8, 64, 256, 1, 1, 1),
    "1x1 stride 2 16->32 at 32": (128, 32, 16, 32, 1, 2, 1),
    "1x1 stride 2 64->128 at 32": (64, 32, 64, 128, 1, 2, 1),
    "1x1 stride 2 128->256 at 16": (64, 16, 128, 256, 1, 2, 1),
    "8 groups of 8 at 32": (64, 32, 64, 64, 3, 1, 8),
    "8 groups of 16 at 16": (64, 16, 128, 128, 3, 1, 8),
    "8 groups of 32 at 8": (64, 8, 256, 256, 3, 1, 8),
    "8 groups of 32 at 32": (64, 32, 256, 256, 3, 1, 8),
    "8 groups of 64 at 16": (64, 16, 512, 512, 3, 1, 8),
    "depthwise 64 at 16": (64, 16, 64, 64, 3, 1, 64),
}

# name: m, n, k, whether op(A) and op(B) are transposed
PRODUCTS = {
    "gemm 512": (512, 512, 512, 0, 0),
    "gemm 2048": (2048, 2048, 2048, 0, 0),
    "gemm 1024 transposed right": (1024, 1024, 1024, 0, 1),
    "gemm 1024 transposed left": (1024, 1024, 1024, 1, 0),
    "gemm tall 131072x16x144": (131072, 16, 144, 0, 0),
    "gemm tall 32768x32x288": (32768, 32, 288, 0, 0),
    "gemm tall 8192x64x576": (8192, 64, 576, 0, 0),
    "gemm tall 16384x128x1152": (16384, 128, 1152, 0, 0),
    "gemm tall 65536x64x256": (65536, 64, 256, 0, 0),
    "gemm sum 144x16x131072": (144, 16, 131072, 1, 0),
    "gemm sum 288x32x32768": (288, 32, 32768, 1, 0),
    "gemm sum 576x64x8192": (576, 64, 8192, 1, 0),
    "gemm sum 256x64x65536": (256, 64, 65536, 1, 0),
    "gemm tokens 4096x192x192": (4096, 192, 192, 0, 1),
    "gemm tokens 4096x768x192": (4096, 768, 192, 0, 1),
    "gemm tokens 192x192x4096": (192, 192, 4096, 1, 0),
    "gemm linear 128x10x64": (128, 10, 64, 0, 1),
    "gemm cell 128x64x16": (128, 64, 16, 0, 1),
    "gemm cell 128x16x64": (128, 16, 64, 0, 1),
    "gemm cell 64x64x64": (64, 64, 64, 0, 1),
    "gemm cell 64x256x64": (64, 256, 64, 0, 1),
    "gemm cell 64x1024x64": (64, 1024, 64, 0, 1),
    "gemm cell 64x1024x256": (64, 1024, 256, 0, 1),
    "gemm cell 256x64x64 sum": (256, 64, 64, 1, 0),
}

DIRECTIONS = ("forward", "input", "weight")


def operations():
    """Pairs of a name and the line that asks for it."""
    for name, sizes in CONVOLUTIONS.items():
        for direction in DIRECTIONS:
            yield f"{name} {direction}", " ".join(map(str, ("conv", direction, *sizes)))
    for name, sizes in PRODUCTS.items():
        yield name, " ".join(map(str, ("gemm", *sizes)))


class Side:
    """A process that times what it is asked for."""

    def __init__(self, command, threads):
        self.threads = threads
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"compare_ops: {self.process.args[0]} ended early")
        return json.loads(line)

    def rate(self, request):
        """GF/s, and whether it had its processors."""
        if self.threads > 1:
            time.sleep(PAUSE)
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        result = self.answer()
        seconds = result["cpu"] if self.threads == 1 else result["wall"]
        waited = self.threads > 1 and result["used"] < BUSY * self.threads
        return 1e-9 * result["flops"] / seconds, waited


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("filters", nargs="*", metavar="FILTER")
    parser.add_argument("--server", default="build/release/bench/kernel_server")
    parser.add_argument("--python", default="python3", help="that has PyTorch and NumPy")
    parser.add_argument("--blas", help="shared library; default: the OpenBLAS of NumPy's package")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ms", type=int, default=30)
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    if arguments.repeat < 1 or arguments.threads < 1 or arguments.ms < 1:
        parser.error("--repeat, --threads and --ms are at least 1")
    return arguments


def blas_command(arguments):
    blas = arguments.blas or subprocess.run(
        [arguments.python, str(HERE / "peer_ops.py"), "--blas"], text=True, check=True,
        capture_output=True).stdout.strip()
    if not blas:
        sys.exit(f"compare_ops: the NumPy of {arguments.python} has no OpenBLAS; use --blas LIBRARY")
    return ["env", f"OPENBLAS_NUM_THREADS={arguments.threads}", arguments.server,
            str(arguments.threads), "--blas", blas]


def main():
    arguments = read_arguments()
    wanted = [(name, request) for name, request in operations()
              if all(re.search(one, name) for one in arguments.filters)]
    if arguments.list:
        print("\n".join(name for name, _ in wanted))
        return
    if not wanted:
        sys.exit(f"compare_ops: no operation contains '{' '.join(arguments.filters)}', see --list")
    threads = arguments.threads
    ours = Side([arguments.server, str(threads)], threads)
    peers = {}
    if any(request.startswith("conv") for _, request in wanted):
        peers["conv"] = Side([arguments.python, str(HERE / "peer_ops.py"), str(threads)], threads)
        print(f"# {peers['conv'].answer()['version']}", flush=True)
    if any(request.startswith("gemm") for _, request in wanted):
        peers["gemm"] = Side(blas_command(arguments), threads)
    peak = ours.rate(f"peak {10 * arguments.ms}")[0]
    print(f"# {threads} threads, {arguments.repeat} repetitions of {arguments.ms} ms; "
          f"multiply-adds reach {peak:.0f} GF/s")
    print(f"{'operation':<36} {'diagrad':>8} {'% peak':>6} {'peer':>8}   ratio", flush=True)
    for name, request in wanted:
        peer = peers[request.split()[0]]
        request = f"{request} {arguments.ms}"
        pairs = [(ours.rate(request), peer.rate(request)) for _ in range(arguments.repeat)]
        mine, theirs = ([pair[side][0] for pair in pairs] for side in (0, 1))
        busy = any(side[1] for pair in pairs for side in pair)
        middle = statistics.median(mine)
        ratios = [one / other for one, other in zip(mine, theirs)]
        print(f"{name:<36} {middle:>8.1f} {100 * middle / peak:>6.0f} "
              f"{statistics.median(theirs):>8.1f}   {spread(ratios)}{' *' if busy else ''}",
              flush=True)


if __name__ == "__main__":
    main()
