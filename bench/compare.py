#!/usr/bin/env python3
"""Compares diagrad, in turn, with a peer or an older diagrad: whole steps of the same nets.

    compare.py [--diagrad build/release/diagrad] [--python python3] [--peer bench/peer.py]
               [--modes nchw,nhwc,compile,bf16,jax] [--jax-python python3] [--tcmalloc FILE]
               [--rounds 7] [--threads 2] [--steps 5] [--quick] [--memory] [CASE ...]
    compare.py --baseline OLD_PROGRAM [--diagrad build/release/diagrad] [--rounds 7] [--threads 2]
               [--steps 5] [CASE ...]

With --baseline the other side is OLD_PROGRAM, an older diagrad; see baseline.py. Without it:

For each case the peer is started once per mode and kept; then, --rounds times, each mode and diagrad
run some timed steps one after the other, so that whatever the machine does hits all alike. The peer
has tcmalloc preloaded where it is found. The ratio is to the fastest f32 mode of the peer; see
peer_table.py. With --memory it compares peak memory alone: the resident size of ten steps over that
before the first, one process a net, the peer with contiguous tensors and libc's malloc.

A peer is a program that understands the arguments of peer.py and answers as it does.
`compare.py --list` names the cases.
"""
import argparse
import json
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys

import baseline
import peer_table
from cases import CASES
from peers import F32_MODES, MODES, Peer, choice_of, environment, find_tcmalloc

HERE = pathlib.Path(__file__).resolve().parent
BUSY = 0.05  # share of foreign CPU above which figures are not to be trusted


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], epilog=baseline.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="default: all; see --list")
    parser.add_argument("--cases", "--only", dest="more_cases", metavar="CASE,...", default="",
                        help="the same as a list")
    parser.add_argument("--diagrad", default="build/release/diagrad", help="the new program")
    parser.add_argument("--baseline", metavar="OLD_PROGRAM", help="compare with this diagrad")
    parser.add_argument("--python", default="python3", help="that runs the peer")
    parser.add_argument("--peer", default=str(HERE / "peer.py"))
    parser.add_argument("--jax-python", metavar="PYTHON", help="that runs JAX [as --python]")
    parser.add_argument("--modes", default=",".join(MODES), help="of the peer [%(default)s]")
    parser.add_argument("--tcmalloc", metavar="FILE",
                        help="malloc of the peer, none: libc's [found in the library folders]")
    parser.add_argument("--rounds", "--repeat", type=int, dest="repeat", metavar="N",
                        help="that medians are taken of [7]")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, help="timed, in each run [5]")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="3 rounds of 3 steps")
    parser.add_argument("--memory", action="store_true", help="compare peak memory alone")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    arguments.cases += [case for case in arguments.more_cases.split(",") if case]
    arguments.modes = arguments.modes.split(",")
    arguments.jax_python = arguments.jax_python or arguments.python
    few = 3 if arguments.quick else None
    arguments.repeat = few or 7 if arguments.repeat is None else arguments.repeat
    arguments.steps = few or 5 if arguments.steps is None else arguments.steps
    check(parser, arguments)
    return arguments


def check(parser, arguments):
    unknown = [case for case in arguments.cases if case not in CASES]
    if unknown:
        parser.error(f"case '{unknown[0]}' is unknown, use some of: {', '.join(CASES)}")
    unknown = [mode for mode in arguments.modes if mode not in MODES]
    if unknown:
        parser.error(f"mode '{unknown[0]}' is unknown, use some of: {', '.join(MODES)}")
    if not set(arguments.modes) & set(F32_MODES):
        parser.error(f"--modes: none of {', '.join(F32_MODES)}, which the ratio is taken to")
    if arguments.repeat < 1 or arguments.steps < 1 or arguments.warmup < 1:
        parser.error("--rounds, --steps and --warmup are at least 1")
    programs = [arguments.diagrad] if not arguments.list else []
    if arguments.baseline is not None:
        if arguments.memory:
            parser.error("--memory: --baseline compares step time and memory at once")
        programs.insert(0, arguments.baseline)
    for program in programs:
        if shutil.which(program) is None:
            parser.error(f"'{program}' is not a program")


def progress(text):
    print(f"# {text}", file=sys.stderr, flush=True)


def peer_command(arguments, case, mode):
    """Without what selects the mode."""
    peer = [arguments.jax_python, str(HERE / "peer_jax.py")] if mode == "jax" else [
        arguments.python, arguments.peer]
    return peer + CASES[case].peer_arguments() + [
        "--threads", str(arguments.threads), "--warmup", str(arguments.warmup),
        "--steps", str(arguments.steps)]


def start_peers(arguments, case):
    """One process for each mode, in the order of MODES: later ones build on the faster earlier."""
    peers = []
    for mode in (mode for mode in MODES if mode in arguments.modes):
        if mode == "jax" and not CASES[case].is_transformer:
            continue
        name, selection = choice_of(mode, peers)
        progress(f"{case}: starts {name}")
        try:
            peers.append(Peer(name, mode, peer_command(arguments, case, mode) + selection,
                              environment(arguments.threads, arguments.tcmalloc)))
        except RuntimeError as error:  # a mode that this peer cannot run
            print(f"# {case}: {error}", flush=True)
    if not any(peer.mode in F32_MODES for peer in peers):
        sys.exit(f"compare: the peer runs {case} in none of its f32 modes")
    return peers


def run_diagrad(program, arguments, case, steps, warmup, math=None):
    command = [program, "bench", "--json", *CASES[case].diagrad_arguments(), "--threads",
               str(arguments.threads), "--steps", str(steps), "--warmup", str(warmup)]
    if math is not None:
        command += ["--math", math]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"compare: {program}: {done.stderr.strip() or command}")
    return json.loads(done.stdout)


def foreign_shares(result):
    return [share for share in result["foreign_cpu"].values() if share is not None]


def warn_if_busy(case, foreign):
    if max(foreign, default=0.0) > BUSY:
        print(f"# {case}: machine was busy: {100 * max(foreign):.0f} % foreign CPU; "
              "repeat on a quiet one", flush=True)


def version_of(program):
    return subprocess.run([program, "--version"], text=True, capture_output=True,
                          check=True).stdout.strip()


def measure_memory(arguments, case):
    progress(f"{case}: memory")
    command = peer_command(arguments, case, "nchw") + ["--layout", "nchw", "--memory"]
    done = subprocess.run(command, text=True, capture_output=True, check=False,
                          env=environment(arguments.threads, None))
    if done.returncode != 0:
        sys.exit(f"compare: {case}: {done.stderr.strip().splitlines()[-1]}")
    return peer_table.Memory(
        own=run_diagrad(arguments.diagrad, arguments, case, 9, 1)["peak_memory_bytes"],
        peer=json.loads(done.stdout)["peak_memory_bytes"])


def check_parameters(case, result, peers):
    for peer in peers:
        if result["parameters"] != peer.about["parameters"]:
            sys.exit(f"compare: {case} has {result['parameters']} parameters here, "
                     f"{peer.about['parameters']} in {peer.name}: these are not the same nets")


def measure_speed(arguments, case, peers):
    """The result of a case, and the shares of the processors that others took."""
    own = peer_table.Row("diagrad", peer_table.OWN, [])
    rows, foreign, results = [own], [], []
    exact = None
    if not CASES[case].is_transformer:  # without 3x3 convolutions both forms are one
        exact = peer_table.Row("diagrad exact", peer_table.EXACT, [])
        rows.append(exact)
    others = [peer_table.Row(peer.name, peer_table.F32 if peer.mode in F32_MODES else
                             peer_table.OTHER, []) for peer in peers]
    for turn in range(arguments.repeat):
        progress(f"{case}: round {turn + 1} of {arguments.repeat}")
        for row, peer in zip(others, peers):
            row.rates.append(peer.run())
        for row, math in ((own, None), (exact, "exact")):
            if row is None:
                continue
            result = run_diagrad(arguments.diagrad, arguments, case, arguments.steps,
                                 arguments.warmup, math)
            check_parameters(case, result, peers)
            row.rates.append(result["images_per_second"])
            results.append(result)
            foreign += foreign_shares(result)
    return peer_table.Result(
        rows + others, image_flops=6.0 * results[0]["multiply_adds"] / results[0]["batch"],
        peak_flops=1e9 * statistics.median(result["peak_gflops"] for result in results)), foreign


def print_header(arguments, peers):
    versions = [version_of(arguments.diagrad), f"{peers[0].about['version']}"]
    versions += [peer.about["version"] for peer in peers if peer.mode == "jax"]
    print(f"# {', '.join(versions)}, python {platform.python_version()}\n"
          f"# {arguments.threads} threads, {arguments.repeat} rounds of {arguments.steps} steps, "
          f"the peer's malloc: {peers[0].about['malloc']}", flush=True)
    if arguments.tcmalloc and peers[0].about["malloc"] != "tcmalloc":
        print(f"# the peer has not loaded {arguments.tcmalloc}", flush=True)
    elif not arguments.tcmalloc:
        print("# no tcmalloc (libtcmalloc-minimal4), which speeds the peer up", flush=True)


def compare_case(arguments, case, is_first):
    """Measures a case and prints its table; returns the result."""
    peers = start_peers(arguments, case)
    if is_first:
        print_header(arguments, peers)
    result, foreign = measure_speed(arguments, case, peers)
    for peer in peers:
        peer.close()
    result = result._replace(memory=measure_memory(arguments, case))
    print(f"{case}: batch {CASES[case].batch}, {CASES[case].optimizer}, "
          f"{peers[0].about['parameters']} parameters, "
          f"peak {result.peak_flops / 1e9:.0f} GFLOP/s")
    print("\n".join(peer_table.case_lines(result)), flush=True)
    warn_if_busy(case, foreign)
    return result


def has_avx512():
    try:
        return "avx512f" in pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def compare_with_peer(arguments):
    """Prints the tables, the summary and violated bounds; returns the exit code."""
    if arguments.tcmalloc is None:
        arguments.tcmalloc = find_tcmalloc()
    elif arguments.tcmalloc == "none":
        arguments.tcmalloc = None
    results = {}
    for case in dict.fromkeys(arguments.cases or CASES):
        results[case] = compare_case(arguments, case, not results)
    print(peer_table.SUMMARY_HEADER)
    for case, result in results.items():
        print(peer_table.summary_line(case, result))
    code = 0
    for case, result in results.items():
        bounds = CASES[case].bounds
        for line in peer_table.violations(result, bounds, has_avx512()) if bounds else ():
            print(f"violation: {case}: {line}")
            code = 1
    return code


def compare_memory(arguments):
    print(f"{'case':<15} {'diagrad MB':>11} {'peer MB':>11}   ratio", flush=True)
    for case in dict.fromkeys(arguments.cases or CASES):
        memory = measure_memory(arguments, case)
        print(f"{case:<15} {memory.own / 1e6:>11.0f} {memory.peer / 1e6:>11.0f}   "
              f"{memory.ratio:.2f}", flush=True)


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


def knows_model(program, model):
    return subprocess.run([program, "models", model], capture_output=True,
                          check=False).returncode == 0


def baseline_cases(arguments):
    """Those of the command line, or all whose model the old program has."""
    if arguments.cases:
        return list(dict.fromkeys(arguments.cases))
    known = [case for case in CASES if knows_model(arguments.baseline, CASES[case].model)]
    for case in CASES:
        if case not in known:
            print(f"# {case}: left out, the old program has no {CASES[case].model}")
    return known


def compare_baseline(arguments):
    """Prints the table, the violations and the result; returns the exit code."""
    print(f"# old: {version_of(arguments.baseline)}, {arguments.baseline}\n"
          f"# new: {version_of(arguments.diagrad)}, {arguments.diagrad}\n"
          f"# {arguments.threads} threads, {arguments.repeat} rounds of old, new, old, "
          f"{arguments.steps} steps a run\n"
          "# speed: old ms / new ms; memory: new MB / old MB; control: old / old", flush=True)
    cases = baseline_cases(arguments)
    print(baseline.HEADER, flush=True)
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
    elif arguments.baseline is not None:
        sys.exit(compare_baseline(arguments))
    elif arguments.memory:
        compare_memory(arguments)
    else:
        sys.exit(compare_with_peer(arguments))


if __name__ == "__main__":
    main()
