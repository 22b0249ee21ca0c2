"""What compare.py prints of diagrad beside a peer. The rows of a case are programs; every round has
run each of them once. The denominator is the f32 mode of the peer with the largest median of
images/s:

    over it           images/s of a row / those of the denominator in the same round
    diagrad / row     images/s of diagrad / those of the row in the same round
    peak              images/s x multiply-adds of a step x 2 / measured flops; a step counts three
                      times the products of its forward pass
    memory            peak memory of a step of diagrad / that of the peer's contiguous mode with libc

All are medians over the rounds; [least .. largest] follow where rounds differ.
"""
import statistics
from typing import NamedTuple

ROUNDING = 1e-9  # so that 2.0 counts as at least 2.0
OWN, EXACT, F32, OTHER = "own", "exact", "f32", "other"


class Row(NamedTuple):
    name: str
    kind: str  # OWN, EXACT, F32 (a mode of the peer that may be the denominator), OTHER
    rates: list  # images/s, one a round

    @property
    def rate(self):
        return statistics.median(self.rates)


class Memory(NamedTuple):
    own: float
    peer: float

    @property
    def ratio(self):
        return self.own / self.peer


class Result(NamedTuple):
    """Of one case."""
    rows: list
    image_flops: float  # of a step, for each image
    peak_flops: float  # measured, per second
    memory: Memory | None = None

    @property
    def own(self):
        return next(row for row in self.rows if row.kind == OWN)

    @property
    def best(self):
        return max((row for row in self.rows if row.kind == F32), key=lambda row: row.rate)

    def find(self, start):
        """The first row whose name begins so, or None."""
        return next((row for row in self.rows if row.name.startswith(start)), None)

    def peak_share(self, row):
        return row.rate * self.image_flops / self.peak_flops


def ratios(row, base):
    return [mine / theirs for mine, theirs in zip(row.rates, base.rates)]


def ratio(row, base):
    return statistics.median(ratios(row, base))


def spread(values, form="{:.2f}"):
    middle, low, high = (form.format(f(values)) for f in (statistics.median, min, max))
    return f"{middle} [{low} .. {high}]"


def case_lines(result):
    """The table of a case, under a header."""
    best = result.best
    lines = [f"  {'program':<20} {'images/s':>8} {'peak':>5}  {'over ' + best.name:<22} "
             f"{'diagrad / row':>13}"]
    for row in result.rows:
        against = "" if row.kind == OWN else f"{ratio(result.own, row):.2f}"
        over = "1" if row is best else spread(ratios(row, best))
        lines.append(f"  {row.name:<20} {row.rate:>8.1f} {100 * result.peak_share(row):>3.0f} %  "
                     f"{over:<22} {against:>13}".rstrip())
    if result.memory:
        lines.append(f"  memory of a step: {result.memory.own / 1e6:.0f} MB, nchw with libc malloc "
                     f"{result.memory.peer / 1e6:.0f} MB, ratio {result.memory.ratio:.2f}")
    return lines


def violations(result, bounds, has_avx512):
    """A line for each bound that is violated."""
    lines = []
    speed, peak = ratio(result.own, result.best), result.peak_share(result.own)
    if speed < bounds.ratio - ROUNDING:
        lines.append(f"ratio {speed:.3f} to {result.best.name} is under {bounds.ratio:.4g}")
    if has_avx512 and peak < bounds.peak - ROUNDING:
        lines.append(f"{100 * peak:.1f} % of the multiply-add peak is under "
                     f"{100 * bounds.peak:.4g} %")
    if result.memory and result.memory.ratio > bounds.memory + ROUNDING:
        lines.append(f"memory {result.memory.ratio:.3f} is above {bounds.memory:.4g}")
    return lines


SUMMARY_HEADER = (f"{'case':<14} {'images/s':>8}  {'ratio to the best f32':<21} {'exact':>5}"
                  f" {'bf16':>5} {'JAX':>5} {'peak':>5} {'memory':>6}")


def summary_line(case, result):
    """A case in one line; exact: of diagrad, over the best f32 mode; bf16, JAX: diagrad over it."""
    def cell(value):
        return "-" if value is None else f"{value:.2f}"
    exact = next((row for row in result.rows if row.kind == EXACT), None)
    bf16, jax = result.find("bf16"), result.find("jax")
    return (f"{case:<14} {result.own.rate:>8.1f}  {spread(ratios(result.own, result.best)):<21}"
            f" {cell(exact and ratio(exact, result.best)):>5}"
            f" {cell(bf16 and ratio(result.own, bf16)):>5}"
            f" {cell(jax and ratio(result.own, jax)):>5}"
            f" {100 * result.peak_share(result.own):>3.0f} %"
            f" {cell(result.memory and result.memory.ratio):>6}")
