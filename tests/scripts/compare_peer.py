#!/usr/bin/env python3
"""The test `compare_peer`: the statistics of bench/peer_table.py, and bench/compare.py with a fake
diagrad and a fake peer that print made-up figures. Usage: compare_peer.py SOURCE"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / "bench"))
import peer_table  # noqa: E402
import peers  # noqa: E402
from cases import CASES, Bounds  # noqa: E402
from peer_table import EXACT, F32, OTHER, OWN, Memory, Result, Row  # noqa: E402

# 300 images/s, 200 with exact convolutions, at half of a peak of 90 GFLOP/s.
DIAGRAD = """#!/bin/sh
if [ "$1" = --version ]; then echo "diagrad fake"; exit 0; fi
echo "$*" >>"$0.calls"
rate=300
case "$*" in *"--math exact"*) rate=200 ;; esac
echo "{\\"images_per_second\\": $rate, \\"parameters\\": 7, \\"peak_memory_bytes\\": 74000000,"
echo "\\"multiply_adds\\": 3200000000, \\"batch\\": 128, \\"peak_gflops\\": 90.0,"
echo "\\"foreign_cpu\\": {\\"before\\": 0.0, \\"during\\": null}}"
"""

# Images/s by mode; each call is a line of PEER.calls with the malloc that was preloaded.
PEER = """import os, sys
words = sys.argv[1:]
with open(__file__ + ".calls", "a") as calls:
    print(os.environ.get("LD_PRELOAD", "-"), *words, file=calls)
if "--memory" in words:
    print('{"peak_memory_bytes": 100000000}')
    sys.exit()
if "--compile" in words and "vit-tiny-patch16-224" in words:
    sys.exit("no compiler\\nhere")
rate = 150 if "--bf16" in words else 125 if "--compile" in words else 120 if "nhwc" in words else 75
print('{"ready": true, "version": "fake 1", "malloc": "libc", "parameters": 7, "warmup_ms": %g}'
      % (1e3 / rate), flush=True)
for line in sys.stdin:
    print('{"images_per_second": %d}' % rate, flush=True)
"""


def result(own=(300, 300), best=(100, 100), memory=None):
    return Result([Row("diagrad", OWN, list(own)), Row("nchw", F32, list(best)),
                   Row("nhwc", F32, [1] * len(best)), Row("bf16 nchw", OTHER, [9999] * len(best))],
                  image_flops=2e9, peak_flops=1e12, memory=memory)


class Statistics(unittest.TestCase):
    def test_ratios_are_medians_over_rounds_of_the_ratios_of_a_round(self):
        one = result(own=(100, 400, 90), best=(100, 100, 10))
        self.assertEqual(peer_table.ratio(one.own, one.best), 4)  # of 1, 4, 9
        self.assertEqual(peer_table.spread(peer_table.ratios(one.own, one.best)),
                         "4.00 [1.00 .. 9.00]")

    def test_the_denominator_is_the_fastest_f32_mode_by_its_median(self):
        rows = [Row("diagrad", OWN, [900] * 3), Row("diagrad exact", EXACT, [800] * 3),
                Row("nchw", F32, [10, 10, 500]), Row("nhwc", F32, [20, 20, 1]),
                Row("bf16 nhwc", OTHER, [99] * 3), Row("jax", OTHER, [99] * 3)]
        self.assertEqual(Result(rows, 1.0, 1.0).best.name, "nhwc")

    def test_the_share_of_the_peak_counts_the_flops_of_a_step(self):
        one = result()
        self.assertAlmostEqual(one.peak_share(one.own), 0.6)
        self.assertAlmostEqual(one.peak_share(one.best), 0.2)

    def test_bounds_are_violated_beyond_their_edges(self):
        edge = Bounds(ratio=3.0, peak=0.6, memory=0.75)
        self.assertEqual(peer_table.violations(result(memory=Memory(75, 100)), edge, True), [])
        slow = result(own=(297, 297), memory=Memory(76, 100))
        self.assertEqual(peer_table.violations(slow, edge, True),
                         ["ratio 2.970 to nchw is under 3",
                          "59.4 % of the multiply-add peak is under 60 %",
                          "memory 0.760 is above 0.75"])
        self.assertEqual(len(peer_table.violations(slow, edge, False)), 2)

    def test_lines_have_80_columns_at_most(self):
        rates = [12345.6, 99999.9]
        rows = [Row("diagrad", OWN, rates), Row("diagrad exact", EXACT, rates),
                Row("compile nchw", F32, rates), Row("bf16 compile nchw", OTHER, rates[::-1])]
        wide = Result(rows, 1.0, 1.0, Memory(12345e6, 12345e6))
        lines = [*peer_table.case_lines(wide), peer_table.SUMMARY_HEADER]
        self.assertLessEqual(max(map(len, lines)), 80, lines)
        fast = Result([row._replace(rates=[9999.9, 9999.9]) for row in rows], 1.0, 1e6, None)
        self.assertLessEqual(len(peer_table.summary_line("resnet20x4-dia", fast)), 80)


class Started:
    """What choice_of reads of a peer."""

    def __init__(self, name, milliseconds):
        self.name, self.mode = name, name.split()[0]
        self.about = {"warmup_ms": milliseconds}


class Modes(unittest.TestCase):
    def test_compile_takes_the_faster_layout(self):
        self.assertEqual(peers.choice_of("compile", [Started("nchw", 1), Started("nhwc", 2)]),
                         ("compile nchw", ["--layout", "nchw", "--compile"]))
        self.assertEqual(peers.choice_of("compile", [Started("nchw", 2), Started("nhwc", 1)]),
                         ("compile nhwc", ["--layout", "nhwc", "--compile"]))

    def test_bf16_takes_the_fastest_f32_mode(self):
        eager = [Started("nchw", 1), Started("nhwc", 2)]
        self.assertEqual(peers.choice_of("bf16", eager), ("bf16 nchw", ["--layout", "nchw",
                                                                        "--bf16"]))
        self.assertEqual(peers.choice_of("bf16", eager + [Started("compile nhwc", 0.5)]),
                         ("bf16 compile nhwc", ["--layout", "nhwc", "--compile", "--bf16"]))
        self.assertEqual(peers.choice_of("bf16", []), ("bf16 nhwc", ["--layout", "nhwc", "--bf16"]))


class Program(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.diagrad, self.peer, self.no_jax = (pathlib.Path(folder.name) / name
                                                for name in ("diagrad", "peer.py", "no_jax"))
        self.diagrad.write_text(DIAGRAD)
        self.peer.write_text(PEER)
        self.no_jax.write_text("#!/bin/sh\necho 'peer_jax: JAX is not installed' >&2; exit 1\n")
        for program in (self.diagrad, self.no_jax):
            program.chmod(0o755)

    def compare(self, *arguments):
        """The exit code, lines and errors."""
        for program in (self.diagrad, self.peer):
            pathlib.Path(f"{program}.calls").write_text("")
        done = subprocess.run(
            [sys.executable, SOURCE / "bench" / "compare.py", "--diagrad", self.diagrad, "--python",
             sys.executable, "--peer", self.peer, "--jax-python", self.no_jax, "--tcmalloc",
             "/no/tcmalloc.so", *arguments], text=True, capture_output=True, check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        return done.returncode, done.stdout.splitlines(), done.stderr

    def calls(self, program):
        return pathlib.Path(f"{program}.calls").read_text().splitlines()

    def test_a_convolutional_case(self):
        code, lines, _ = self.compare("--only", "resnet20", "--rounds", "2")
        self.assertEqual(code, 0)
        rows = {line[2:22].strip(): line[22:].split() for line in lines if line[:2] == "  "}
        self.assertEqual([*rows], ["program", "diagrad", "diagrad exact", "nchw", "nhwc",
                                   "compile nhwc", "bf16 compile nhwc", "memory of a step: 74"])
        self.assertEqual(rows["diagrad"], "300.0 50 % 2.40 [2.40 .. 2.40]".split())
        self.assertEqual(rows["diagrad exact"], "200.0 33 % 1.60 [1.60 .. 1.60] 1.50".split())
        self.assertEqual(rows["compile nhwc"], "125.0 21 % 1 2.40".split())
        self.assertEqual(rows["bf16 compile nhwc"][-1], "2.00")
        self.assertIn("  memory of a step: 74 MB, nchw with libc malloc 100 MB, ratio 0.74", lines)
        self.assertEqual(lines[-1].split(),
                         "resnet20 300.0 2.40 [2.40 .. 2.40] 1.60 2.00 - 50 % 0.74".split())
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertEqual(len(self.calls(self.diagrad)), 5)  # fast and exact, twice; memory

    def test_tcmalloc_is_preloaded_except_for_memory(self):
        _, lines, _ = self.compare("--quick", "resnet20")
        self.assertIn("# 2 threads, 3 rounds of 3 steps, the peer's malloc: libc", lines)
        self.assertIn("# the peer has not loaded /no/tcmalloc.so", lines)
        calls = self.calls(self.peer)
        self.assertEqual([call.split()[0] for call in calls], ["/no/tcmalloc.so"] * 4 + ["-"])
        self.assertIn("--layout nchw --memory", calls[-1])

    def test_a_transformer_has_adamw_bounds_and_a_row_of_jax(self):
        code, lines, _ = self.compare("--rounds", "1", "vit-cifar")
        self.assertIn("# vit-cifar: jax: peer_jax: JAX is not installed", lines)
        self.assertEqual(self.calls(self.diagrad)[0],
                         "bench --json --model vit-cifar --attention none --batch 128 --optimizer "
                         "adamw --threads 2 --steps 5 --warmup 3")
        self.assertNotIn("exact", "".join(self.calls(self.diagrad)))
        self.assertIn("--optimizer adamw --image 32 --classes 10", self.calls(self.peer)[0])
        has_avx512 = "avx512f" in pathlib.Path("/proc/cpuinfo").read_text()
        self.assertEqual(code, int(has_avx512))
        self.assertEqual("violation: vit-cifar: 50.0 % of the multiply-add peak is under 60 %"
                         in lines, has_avx512)

    def test_a_mode_that_fails_is_noted_and_left_out(self):
        _, lines, _ = self.compare("--rounds", "1", "vit-tiny")
        self.assertIn("# vit-tiny: compile nhwc: here", lines)
        self.assertTrue(any(line.startswith("  bf16 nhwc ") for line in lines))
        self.assertIn("--image 224 --classes 1000", self.calls(self.peer)[0])

    def test_all_cases_have_lines_of_a_summary(self):
        _, lines, _ = self.compare("--rounds", "1", "--modes", "nhwc")
        first = lines.index(peer_table.SUMMARY_HEADER) + 1
        self.assertEqual([line.split()[0] for line in lines[first:first + len(CASES)]], [*CASES])

    def test_memory_alone(self):
        code, lines, _ = self.compare("--memory", "vit-cifar-dia")
        self.assertEqual((code, lines[1].split()), (0, ["vit-cifar-dia", "74", "100", "0.74"]))

    def test_nets_of_different_size_are_refused(self):
        self.peer.write_text(PEER.replace('"parameters": 7', '"parameters": 8'))
        code, _, errors = self.compare("resnet20")
        self.assertEqual(code, 1)
        self.assertIn("resnet20 has 7 parameters here, 8 in nchw", errors)

    def test_wrong_arguments_are_refused(self):
        for arguments, text in ((["--modes", "fp8"], "mode 'fp8' is unknown, use some of: nchw"),
                                (["--modes", "bf16"], "--modes: none of nchw, nhwc, compile"),
                                (["--steps", "0"], "--rounds, --steps and --warmup are at least"),
                                (["--diagrad", "no/such"], "'no/such' is not a program")):
            code, _, errors = self.compare(*arguments)
            self.assertEqual(code, 2)
            self.assertIn(text, errors)


if __name__ == "__main__":
    unittest.main()
