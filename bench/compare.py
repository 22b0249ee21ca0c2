#!/usr/bin/env python3
"""Compares diagrad, in turn, with a peer or an older diagrad: whole steps of the same nets.

    compare.py [--diagrad build/release/diagrad] [--python python3] [--peer bench/peer.py]
               [--repeat 7] [--threads 2] [--steps 5] [--modes nchw,nhwc,compile] [--memory] [CASE ...]
    compare.py --baseline OLD_PROGRAM [--diagrad build/release/diagrad] [--rounds 7] [--threads 2]
               [--steps 5] [CASE ...]

With --baseline the other side is OLD_PROGRAM, an older diagrad; see baseline.py. Without it:

For each case the peer is started once per mode and kept; then, --repeat times, each mode and diagrad
run some timed steps one after the other, so that whatever the machine does hits all alike. The table
has images per second (medians), the peer's best mode, and the ratio diagrad / best mode of the same
repetition: median [least .. largest]. With --memory it compares peak memory instead: the resident
size of ten steps over that before the first, one process a net, the peer in its first mode.

A peer is a program that understands the arguments of peer.py and answers as it does.
`compare.py --list` names the cases.
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys

import baseline

HERE = pathlib.Path(__file__).resolve().parent
BUSY = 0.05  # share of foreign CPU above which figures are not to be trusted

# name: model, attention, width of the first stage, batch
CASES = {
    "resnet20": ("resnet20", "none", 16, 128),
    "resnet20-dia": ("resnet20", "dia-lstm", 16, 128),
    "resnet20x4-dia": ("resnet20", "dia-lstm", 64, 64),
    "resnet56-dia": ("resnet56", "dia-lstm", 16, 128),
    "resnet164": ("resnet164", "none", 16, 64),
    "resnet164-dia": ("resnet164", "dia-lstm", 16, 64),
}


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], epilog=baseline.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="default: all; see --list")
    parser.add_argument("--cases", dest="more_cases", metavar="CASE,...", default="",
                        help="the same as a list")
    parser.add_argument("--diagrad", default="build/release/diagrad", help="the new program")
    parser.add_argument("--baseline", metavar="OLD_PROGRAM", help="compare with this diagrad")
    parser.add_argument("--python", default="python3", help="that runs the peer")
    parser.add_argument("--peer", default=str(HERE / "peer.py"))
    parser.add_argument("--modes", default="nchw,nhwc,compile", help="of the peer")
    parser.add_argument("--rounds", "--repeat", type=int, default=7, dest="repeat", metavar="N",
                        help="that medians are taken of")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5, help="timed, in each run")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    arguments.cases += [case for case in arguments.more_cases.split(",") if case]
    unknown = [case for case in arguments.cases if case not in CASES]
    if unknown:
        parser.error(f"case '{unknown[0]}' is unknown, use some of: {', '.join(CASES)}")
    if arguments.repeat < 1 or arguments.steps < 1 or arguments.warmup < 1:
        parser.error("--rounds, --steps and --warmup are at least 1")
    if arguments.baseline is not None:
        if arguments.memory:
            parser.error("--memory: --baseline compares step time and memory at once")
        for program in (arguments.baseline, arguments.diagrad):
            if shutil.which(program) is None:
                parser.error(f"'{program}' is not a program")
    return arguments


def environment(arguments):
    return {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}


def peer_command(arguments, case, mode):
    model, attention, width, batch = CASES[case]
    return [arguments.python, arguments.peer, "--model", model, "--attention", attention,
            "--width", str(width), "--batch", str(batch), "--threads", str(arguments.threads),
            "--mode", mode, "--warmup", str(arguments.warmup), "--steps", str(arguments.steps)]


class Peer:
    """A peer in one mode, warmed up and waiting."""

    def __init__(self, arguments, case, mode):
        self.mode = mode
        self.process = subprocess.Popen(
            peer_command(arguments, case, mode) + ["--serve"], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(arguments))
        self.about = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            words = self.process.stderr.read().strip().splitlines() or ["it said nothing"]
            raise RuntimeError(f"mode {self.mode}: {words[-1]}")
        return json.loads(line)

    def run(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.answer()["images_per_second"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def start_peers(arguments, case):
    peers = []
    for mode in arguments.modes.split(","):
        try:
            peers.append(Peer(arguments, case, mode))
        except RuntimeError as error:  # a mode that this peer cannot run
            print(f"# {case}: {error}", flush=True)
    if not peers:
        sys.exit(f"compare: the peer runs {case} in none of its modes ({arguments.modes})")
    return peers


def run_diagrad(program, arguments, case, steps, warmup):
    model, attention, width, batch = CASES[case]
    command = [program, "bench", "--json", "--model", model, "--model-opt",
               f"width={width}", "--attention", attention, "--batch", str(batch), "--threads",
               str(arguments.threads), "--steps", str(steps), "--warmup", str(warmup)]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"compare: {program}: {done.stderr.strip() or command}")
    return json.loads(done.stdout)


def spread(values, form="{:.2f}"):
    middle, low, high = (form.format(f(values)) for f in (statistics.median, min, max))
    return f"{middle} [{low} .. {high}]"


def foreign_shares(result):
    return [share for share in result["foreign_cpu"].values() if share is not None]


def warn_if_busy(case, foreign):
    if max(foreign, default=0.0) > BUSY:
        print(f"# {case}: machine was busy: {100 * max(foreign):.0f} % foreign CPU; "
              "repeat on a quiet one", flush=True)


def version_of(program):
    return subprocess.run([program, "--version"], text=True, capture_output=True,
                          check=True).stdout.strip()


def print_header(arguments, peers):
    print(f"# {version_of(arguments.diagrad)}, {peers[0].about['version']}, python {platform.python_version()}, "
          f"{arguments.threads} threads, {arguments.repeat} repetitions of {arguments.steps} steps")
    modes = "".join(f" {mode:>9}" for mode in arguments.modes.split(","))
    print(f"{'case':<15} {'diagrad':>9}{modes}   ratio to the best", flush=True)


def compare_speed(arguments, case, is_first):
    peers = start_peers(arguments, case)
    if is_first:
        print_header(arguments, peers)
    rates = {peer.mode: [] for peer in peers}
    own, foreign = [], []
    for _ in range(arguments.repeat):
        for peer in peers:
            rates[peer.mode].append(peer.run())
        result = run_diagrad(arguments.diagrad, arguments, case, arguments.steps,
                             arguments.warmup)
        if result["parameters"] != peers[0].about["parameters"]:
            sys.exit(f"compare: {case} has {result['parameters']} parameters here, "
                     f"{peers[0].about['parameters']} there: these are not the same nets")
        own.append(result["images_per_second"])
        foreign += foreign_shares(result)
    for peer in peers:
        peer.close()
    best = max(rates, key=lambda mode: statistics.median(rates[mode]))
    cells = "".join(f" {statistics.median(rates[mode]):>9.1f}" if mode in rates else f" {'-':>9}"
                    for mode in arguments.modes.split(","))
    ratios = [mine / theirs for mine, theirs in zip(own, rates[best])]
    print(f"{case:<15} {statistics.median(own):>9.1f}{cells}   {spread(ratios)} {best}", flush=True)
    warn_if_busy(case, foreign)


def compare_memory(arguments, case, is_first):
    if is_first:
        print(f"{'case':<15} {'diagrad MB':>11} {'peer MB':>11}   ratio", flush=True)
    mode = arguments.modes.split(",")[0]
    done = subprocess.run(peer_command(arguments, case, mode) + ["--memory"], text=True,
                          capture_output=True, check=False, env=environment(arguments))
    if done.returncode != 0:
        sys.exit(f"compare: {case}: {done.stderr.strip().splitlines()[-1]}")
    theirs = json.loads(done.stdout)["peak_memory_bytes"]
    mine = run_diagrad(arguments.diagrad, arguments, case, 9, 1)["peak_memory_bytes"]
    print(f"{case:<15} {mine / 1e6:>11.0f} {theirs / 1e6:>11.0f}   {mine / theirs:.2f} {mode}",
          flush=True)


def measure_rounds(arguments, case):
    """One measurement of a case: --rounds times old, new, old."""
    rounds, foreign = [], []
    for _ in range(arguments.repeat):
        results = [run_diagrad(program, arguments, case, arguments.steps, arguments.warmup)
                   for program in (arguments.baseline, arguments.diagrad, arguments.baseline)]
        old, new = (result["parameters"] for result in results[:2])
        if old != new:
            sys.exit(f"compare: {case} has {new} parameters, {old} in the baseline: these are not "
                     "the same nets")
        rounds.append([baseline.Sample(result["step_ms"]["median"], result["peak_memory_bytes"])
                       for result in results])
        for result in results:
            foreign += foreign_shares(result)
    warn_if_busy(case, foreign)
    return baseline.figures(rounds)


def compare_baseline(arguments):
    """Prints the table, the violations and the result; returns the exit code."""
    cases = list(dict.fromkeys(arguments.cases or CASES))
    print(f"# old: {version_of(arguments.baseline)}, {arguments.baseline}\n"
          f"# new: {version_of(arguments.diagrad)}, {arguments.diagrad}\n"
          f"# {arguments.threads} threads, {arguments.repeat} rounds of old, new, old, "
          f"{arguments.steps} steps a run\n"
          "# speed: old ms / new ms; memory: new MB / old MB; control: old / old\n"
          f"{baseline.HEADER}", flush=True)
    failed = {}
    for case in cases:
        def note(text, case=case):
            print(f"# {case}: {text}", flush=True)
        result = baseline.measure_until_quiet(lambda case=case: measure_rounds(arguments, case),
                                              note)
        print(baseline.row(case, result), flush=True)
        for line in baseline.widenings(result):
            note(line)
        if lines := baseline.violations(result):
            failed[case] = lines
    for case, lines in failed.items():
        for line in lines:
            print(f"violation: {case}: {line}")
    print(f"result: {'fail' if failed else 'pass'}, {len(cases) - len(failed)} of {len(cases)} "
          "cases are within their bounds")
    return 1 if failed else 0


def main():
    arguments = read_arguments()
    if arguments.list:
        print("\n".join(CASES))
        return
    if arguments.baseline is not None:
        sys.exit(compare_baseline(arguments))
    compare = compare_memory if arguments.memory else compare_speed
    for place, case in enumerate(arguments.cases or CASES):
        compare(arguments, case, place == 0)


if __name__ == "__main__":
    main()
