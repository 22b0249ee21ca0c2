#!/usr/bin/env python3
"""The test `compare_baseline`: the statistics of bench/baseline.py, and bench/compare.py --baseline
with fake programs that print made-up figures. Usage: compare.py SOURCE"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / "bench"))
import baseline  # noqa: E402

# Prints the next line of the file PROGRAM.figures, "step_ms peak_memory_bytes parameters", and the
# last line again once all were printed. PROGRAM.calls has a line for each call. PROGRAM.lacks has the
# models that it does not know, one a line.
FAKE = """#!/bin/sh
if [ "$1" = models ]; then ! grep -qs "^$2$" "$0.lacks"; exit; fi
if [ "$1" = --version ]; then echo "diagrad fake"; exit 0; fi
echo "$*" >>"$0.calls"
calls=$(wc -l <"$0.calls")
lines=$(wc -l <"$0.figures")
[ "$calls" -le "$lines" ] || calls=$lines
set -- $(sed -n "${calls}p" "$0.figures")
echo "{\\"step_ms\\": {\\"median\\": $1}, \\"peak_memory_bytes\\": $2, \\"parameters\\": $3,"
echo "\\"foreign_cpu\\": {\\"before\\": 0.0, \\"during\\": null}}"
"""


def figures(time, memory=((100, 100, 100),)):
    """Of rounds (old1, new, old2), of which memory may have only one for all."""
    memory = memory * len(time) if len(memory) == 1 else memory
    return baseline.figures([[baseline.Sample(*run) for run in zip(times, memories)]
                             for times, memories in zip(time, memory)])


class Statistics(unittest.TestCase):
    def test_ratios_are_medians_over_rounds_of_the_ratios_of_a_round(self):
        time = figures([(100, 100, 100), (200, 400, 200), (30, 10, 50)]).time
        self.assertEqual(time.old_over_new, 1.0)  # of 1, 0.5, 4
        self.assertEqual(time.new_over_old, 1.0)  # of 1, 2, 0.25
        self.assertEqual(time.control, 1.0)  # of 1, 1, 0.6
        self.assertEqual((time.old, time.new), (100, 100))

    def test_both_old_runs_count_alike(self):
        result = figures([(90, 100, 130)], [(400, 220, 40)])
        self.assertAlmostEqual(result.time.old_over_new, 1.1)
        self.assertAlmostEqual(result.memory.new_over_old, 1.0)
        self.assertAlmostEqual(result.time.control, 90 / 130)
        self.assertAlmostEqual(result.memory.control, 10.0)

    def test_controls_are_quiet_from_99_to_101_hundredths(self):
        for old1, quiet in ((99, True), (101, True), (98.9, False), (101.1, False)):
            self.assertEqual(figures([(old1, 100, 100)]).is_quiet, quiet, old1)
            self.assertEqual(figures([(100, 100, 100)], [(old1, 100, 100)]).is_quiet, quiet, old1)

    def test_a_case_is_violated_under_98_hundredths_of_speed(self):
        self.assertEqual(baseline.violations(figures([(98, 100, 98)])), [])
        self.assertEqual(baseline.violations(figures([(97.9, 100, 97.9)])),
                         ["speed 0.9790 is under 0.98"])
        self.assertEqual(baseline.violations(figures([(200, 100, 200)])), [])

    def test_a_case_is_violated_above_102_hundredths_of_memory(self):
        time = [(100, 100, 100)]
        self.assertEqual(baseline.violations(figures(time, [(100, 102, 100)])), [])
        self.assertEqual(baseline.violations(figures(time, [(100, 102.1, 100)])),
                         ["memory 1.0210 is above 1.02"])
        self.assertEqual(baseline.violations(figures(time, [(100, 50, 100)])), [])

    def test_bounds_widen_by_the_deviation_of_their_own_control(self):
        for old1 in (97, 103):
            noisy_time = figures([(old1, 100, 100)])
            self.assertAlmostEqual(baseline.bounds(noisy_time)[0], 0.95)
            self.assertEqual(baseline.bounds(noisy_time)[1], 1.02)
            self.assertEqual(baseline.widenings(noisy_time),
                             ["bound of speed 0.98 - 0.030 = 0.950"])
            noisy_memory = figures([(100, 100, 100)], [(old1, 100, 100)])
            self.assertEqual(baseline.bounds(noisy_memory)[0], 0.98)
            self.assertAlmostEqual(baseline.bounds(noisy_memory)[1], 1.05)
        quiet = figures([(101, 100, 100)])
        self.assertEqual((baseline.bounds(quiet), baseline.widenings(quiet)), ((0.98, 1.02), []))

    def test_repeats_end_with_the_first_quiet_one_or_after_three(self):
        noisy, quiet = figures([(110, 100, 100)]), figures([(100, 100, 100)])
        for results, used in (([quiet], 1), ([noisy, quiet], 2), ([noisy] * 3 + [quiet], 4),
                              ([noisy] * 4, 4)):
            left, notes = iter(results), []
            last = baseline.measure_until_quiet(lambda: next(left), notes.append)
            self.assertIs(last, results[used - 1])
            self.assertEqual(len(notes), used - 1)
            self.assertEqual(list(left), [])

    def test_a_row_has_80_columns_at_most(self):
        row = baseline.row("resnet20x4-dia", figures([(12345.6, 12345.6, 12345.6)],
                                                     [(12345e6, 12345e6, 12345e6)]))
        self.assertEqual(len(row), len(baseline.HEADER))
        self.assertLessEqual(len(row), 80)


class Program(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.old, self.new = (pathlib.Path(folder.name) / name for name in ("old", "new"))
        for program in (self.old, self.new):
            program.write_text(FAKE)
            program.chmod(0o755)

    def compare(self, old, new, *arguments):
        """The exit code, lines and errors; old, new: what the programs print, call by call."""
        for program, lines in ((self.old, old), (self.new, new)):
            pathlib.Path(f"{program}.figures").write_text("".join(line + "\n" for line in lines))
            pathlib.Path(f"{program}.calls").write_text("")
        done = subprocess.run(
            [sys.executable, SOURCE / "bench" / "compare.py", "--baseline", self.old, "--diagrad",
             self.new, *arguments], text=True, capture_output=True, check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        return done.returncode, done.stdout.splitlines(), done.stderr

    def calls(self, program):
        return pathlib.Path(f"{program}.calls").read_text().splitlines()

    def test_equal_programs_pass(self):
        code, lines, _ = self.compare(["100 5000000 7"], ["100 5000000 7"], "--rounds", "2",
                                      "--cases", "resnet20,resnet164", "--steps", "4", "--threads",
                                      "3")
        self.assertEqual(code, 0)
        self.assertEqual(lines[-1], "result: pass, 2 of 2 cases are within their bounds")
        self.assertEqual([line.split()[0] for line in lines if not line.startswith("#")],
                         ["case", "resnet20", "resnet164", "result:"])
        self.assertLessEqual(max(len(line) for line in lines if str(self.old.parent) not in line),
                             80)
        self.assertEqual((len(self.calls(self.old)), len(self.calls(self.new))), (8, 4))
        self.assertEqual(self.calls(self.new)[0], self.calls(self.old)[0])
        self.assertEqual(self.calls(self.new)[0],
                         "bench --json --model resnet20 --model-opt width=16 --attention none "
                         "--batch 128 --threads 3 --steps 4 --warmup 3")

    def test_seven_rounds_of_all_cases_are_the_default(self):
        code, lines, _ = self.compare(["100 5000000 7"], ["100 5000000 7"])
        self.assertEqual(code, 0)
        self.assertEqual(lines[-1], "result: pass, 11 of 11 cases are within their bounds")
        self.assertEqual(len(self.calls(self.new)), 77)

    def test_cases_whose_model_the_old_program_lacks_are_left_out(self):
        pathlib.Path(f"{self.old}.lacks").write_text("vit-cifar\n")
        code, lines, _ = self.compare(["100 5000000 7"], ["100 5000000 7"], "--rounds", "1")
        self.assertEqual(code, 0)
        for case in ("vit-cifar", "vit-cifar-dia"):
            self.assertIn(f"# {case}: left out, the old program has no vit-cifar", lines)
        self.assertEqual(lines[-1], "result: pass, 9 of 9 cases are within their bounds")

    def test_a_slower_and_larger_program_fails(self):
        code, lines, _ = self.compare(["100 5000000 7"], ["105 5200000 7"], "--rounds", "1",
                                      "resnet20")
        self.assertEqual(code, 1)
        self.assertEqual(lines[-3:], ["violation: resnet20: speed 0.9524 is under 0.98",
                                      "violation: resnet20: memory 1.0400 is above 1.02",
                                      "result: fail, 0 of 1 cases are within their bounds"])

    def test_a_noisy_case_is_repeated_three_times_and_then_widens(self):
        code, lines, _ = self.compare(["103 5000000 7", "100 5000000 7"] * 4, ["105 5000000 7"],
                                      "--rounds", "1", "resnet20")
        self.assertEqual(code, 0)  # 101.5 / 105 = 0.967
        self.assertEqual(len(self.calls(self.new)), 4)
        self.assertEqual([line for line in lines if "repeat" in line],
                         [f"# resnet20: control 1.0300 of time, 1.0000 of memory; repeat {n} of 3"
                          for n in (1, 2, 3)])
        self.assertEqual(lines[-2:], ["# resnet20: bound of speed 0.98 - 0.030 = 0.950",
                                      "result: pass, 1 of 1 cases are within their bounds"])

    def test_the_quiet_repeat_is_what_counts(self):
        old = ["150 5000000 7"] + ["100 5000000 7"] * 3
        code, lines, _ = self.compare(old, ["125 5000000 7", "90 5000000 7"], "--rounds", "1",
                                      "resnet20")
        self.assertEqual(code, 0)
        self.assertEqual(lines[-2].split()[:5], ["resnet20", "100.00", "90.00", "1.111", "1.000"])

    def test_nets_of_different_size_are_refused(self):
        code, _, errors = self.compare(["100 5000000 7"], ["100 5000000 8"], "resnet20")
        self.assertEqual(code, 1)
        self.assertIn("resnet20 has 8 parameters, 7 in the baseline", errors)

    def test_wrong_arguments_are_refused(self):
        for arguments, text in ((["--rounds", "0"], "--rounds, --steps and --warmup are at least"),
                                (["--cases", "resnet"], "case 'resnet' is unknown"),
                                (["--memory"], "--memory: --baseline compares"),
                                (["--baseline", "no/such"], "'no/such' is not a program")):
            code, _, errors = self.compare([], [], *arguments)
            self.assertEqual(code, 2)
            self.assertIn(text, errors)


if __name__ == "__main__":
    unittest.main()
