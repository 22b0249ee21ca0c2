#!/usr/bin/env python3
"""The polynomials of core/float_math.h: minimax fits by Remez' exchange, with float coefficients.

    python3 -m pip install mpmath && scripts/minimax.py

Prints the coefficients, lowest power first, and the largest error of each fit in units of 2^-24 of
the function that it serves: that of the float coefficients in exact arithmetic.
"""

import struct

import mpmath as mp

mp.mp.prec = 160


def to_float(value):
    return mp.mpf(struct.unpack("f", struct.pack("f", float(value)))[0])


def remez(target, weight, powers, low, high):
    """Coefficients of sum c_k x^powers[k] with the least maximum of |weight * (target - sum)|."""
    count = len(powers) + 1
    grid = [low + (high - low) * (1 - mp.cos(mp.pi * (i + mp.mpf(1) / 2) / 600)) / 2
            for i in range(600)]
    values = [(x, target(x), weight(x)) for x in grid]
    nodes = [int(600 * (i + mp.mpf(1) / 2) / count) for i in range(count)]
    for _ in range(30):
        rows = mp.matrix(count, count)
        right = mp.matrix(count, 1)
        for i, node in enumerate(nodes):
            x, y, w = values[node]
            for k, power in enumerate(powers):
                rows[i, k] = w * x**power
            rows[i, count - 1] = (-1) ** i
            right[i] = w * y
        solution = mp.lu_solve(rows, right)
        errors = [w * (y - sum(solution[k] * x**p for k, p in enumerate(powers)))
                  for x, y, w in values]
        chosen = alternating_extrema(errors, count)
        if chosen == nodes:
            break
        nodes = chosen
    return [solution[k] for k in range(len(powers))]


def alternating_extrema(errors, count):
    """The grid points of the largest errors of alternating sign."""
    runs = [[0]]
    for i in range(1, len(errors)):
        if (errors[i] > 0) == (errors[i - 1] > 0):
            runs[-1].append(i)
        else:
            runs.append([i])
    extrema = [max(run, key=lambda i: abs(errors[i])) for run in runs]
    while len(extrema) > count:
        extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
    assert len(extrema) == count, "too few extrema: the fit is exact, or the precision too low"
    return extrema


def rounded_in_turn(target, weight, powers, low, high):
    """From the lowest power on, the rest being fitted anew after each."""
    rounded = []
    for k in range(len(powers)):
        def rest(x):
            return target(x) - sum(c * x**p for c, p in zip(rounded, powers))
        rounded.append(to_float(remez(rest, weight, powers[k:], low, high)[0]))
    return rounded


def fit(name, target, weight, powers, low, high):
    low, high = mp.mpf(low), mp.mpf(high)
    points = [low + (high - low) * (i + mp.mpf(1) / 2) / 4000 for i in range(4000)]

    def error(coefficients):
        return max(abs(weight(x) * (target(x) - sum(c * x**p for c, p in zip(coefficients, powers))))
                   for x in points)

    at_once = [to_float(c) for c in remez(target, weight, powers, low, high)]
    best = min(at_once, rounded_in_turn(target, weight, powers, low, high), key=error)
    print(f"{name}: error {mp.nstr(error(best) * 2**24, 3)}")
    for c, p in zip(best, powers):
        print(f"  x^{p}: {mp.nstr(c, 9)}F")


half_log = mp.log(2) / 2 * mp.mpf("1.0001")
fit("exp(r) = 1 + r + r^2 P(r)", lambda r: (mp.expm1(r) - r) / r**2, lambda r: r**2 / mp.exp(r),
    range(5), -half_log, half_log)
fit("log(1 + f) = f - f^2 / 2 + f^3 P(f)", lambda f: (mp.log1p(f) - f + f**2 / 2) / f**3,
    lambda f: f**3 / mp.log1p(f), range(8), "-0.3334", "0.3334")
fit("tanh(x) = x + x^3 P(x^2)", lambda s: (mp.tanh(mp.sqrt(s)) / mp.sqrt(s) - 1) / s,
    lambda s: s * mp.sqrt(s) / mp.tanh(mp.sqrt(s)), range(5), "1e-9", "0.36")
# Here the error is absolute.
fit("normal cdf of -x = exp(-x^2 / 2) P(x)",
    lambda x: mp.exp(x * x / 2) * mp.erfc(x / mp.sqrt(2)) / 2, lambda x: mp.exp(-x * x / 2),
    range(13), 0, "5.5")
fit("log(1 + x) = 2 s + 2 s^3 P(s^2), s = x / (2 + x)",
    lambda q: (mp.atanh(mp.sqrt(q)) / mp.sqrt(q) - 1) / q,
    lambda q: q * mp.sqrt(q) / mp.atanh(mp.sqrt(q)), range(4), "1e-9", "0.1112")
