"""With --baseline OLD_PROGRAM, each case is measured in --rounds rounds. A round runs the old
program, the new one (--diagrad) and the old one again, each in a process of its own, and takes the
median step time and the peak memory of each run. The figures of a case are medians over its rounds:

    speed    = ((old1 + old2) / 2) / new, of step times; >= 1: the new program is not slower
    memory   = new / ((old1 + old2) / 2), of peak memory; <= 1: it does not need more
    control  = old1 / old2, once of step times and once of peak memory; 1 without noise

A case whose controls are not both in 0.99 .. 1.01 is measured again, three times at most. If they
are still outside, the last measurement counts, and the bound widens by the control's deviation
|control - 1|, the bound of speed by the control of step times, that of memory by the control of
peak memory. A case passes if speed >= 0.98 and memory <= 1.02.
Exit code: 0 if all cases pass, 1 if one does not or a program fails, 2 for wrong arguments.
"""
import statistics
from typing import NamedTuple

LEAST_SPEED = 0.98
MOST_MEMORY = 1.02
CONTROL_DEVIATION = 0.01  # of a control from 1
MOST_REPEATS = 3
ROUNDING = 1e-9  # so that 1.01 counts as within 0.01 of 1

HEADER = (f"{'case':<14} {'old ms':>8} {'new ms':>8} {'speed':>6} {'control':>7}"
          f" {'old MB':>7} {'new MB':>7} {'memory':>6} {'control':>7}")


class Sample(NamedTuple):
    """One run: the median step time and the peak memory."""
    step_ms: float
    memory_bytes: float


class Ratios(NamedTuple):
    """Of one quantity: the medians of both programs, old / new, and old / old."""
    old: float
    new: float
    old_over_new: float
    new_over_old: float
    control: float

    @property
    def deviation(self):
        return abs(self.control - 1)

    @property
    def is_quiet(self):
        return self.deviation <= CONTROL_DEVIATION + ROUNDING

    @property
    def widening(self):
        return 0.0 if self.is_quiet else self.deviation


class Figures(NamedTuple):
    """Of one case."""
    time: Ratios
    memory: Ratios

    @property
    def is_quiet(self):
        return self.time.is_quiet and self.memory.is_quiet


def ratios(rounds):
    """rounds: a tuple (old1, new, old2) of positive values for each round."""
    means = [(old1 + old2) / 2 for old1, _, old2 in rounds]
    news = [new for _, new, _ in rounds]
    return Ratios(
        old=statistics.median(means), new=statistics.median(news),
        old_over_new=statistics.median(mean / new for mean, new in zip(means, news)),
        new_over_old=statistics.median(new / mean for mean, new in zip(means, news)),
        control=statistics.median(old1 / old2 for old1, _, old2 in rounds))


def figures(rounds):
    """rounds: a tuple (old1, new, old2) of Samples for each round."""
    return Figures(time=ratios([[run.step_ms for run in runs] for runs in rounds]),
                   memory=ratios([[run.memory_bytes for run in runs] for runs in rounds]))


def measure_until_quiet(measure, note):
    """Calls measure(), which returns Figures, until the controls are in range, and at most
    MOST_REPEATS times again. Returns the last Figures. note(text) reports each repeat."""
    result = measure()
    for repeat in range(1, MOST_REPEATS + 1):
        if result.is_quiet:
            break
        note(f"control {result.time.control:.4f} of time, {result.memory.control:.4f} of memory; "
             f"repeat {repeat} of {MOST_REPEATS}")
        result = measure()
    return result


def bounds(result):
    """The least speed and the most memory, widened where a control is out of range."""
    return LEAST_SPEED - result.time.widening, MOST_MEMORY + result.memory.widening


def widenings(result):
    """A line for each bound that is widened."""
    least, most = bounds(result)
    lines = []
    if result.time.widening:
        lines.append(f"bound of speed {LEAST_SPEED} - {result.time.widening:.3f} = {least:.3f}")
    if result.memory.widening:
        lines.append(f"bound of memory {MOST_MEMORY} + {result.memory.widening:.3f} = {most:.3f}")
    return lines


def violations(result):
    """A line for each bound that is violated."""
    least, most = bounds(result)
    lines = []
    if result.time.old_over_new < least - ROUNDING:
        lines.append(f"speed {result.time.old_over_new:.4f} is under {least:.4g}")
    if result.memory.new_over_old > most + ROUNDING:
        lines.append(f"memory {result.memory.new_over_old:.4f} is above {most:.4g}")
    return lines


def row(case, result):
    time, memory = result
    return (f"{case:<14} {time.old:>8.2f} {time.new:>8.2f} {time.old_over_new:>6.3f}"
            f" {time.control:>7.3f} {memory.old / 1e6:>7.1f} {memory.new / 1e6:>7.1f}"
            f" {memory.new_over_old:>6.3f} {memory.control:>7.3f}")
