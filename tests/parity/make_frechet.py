#!/usr/bin/env python3
"""Frechet distances of features, by NumPy and SciPy, for frechet_test.cpp.

Contract. A case has two sets of rows of `width` values, a and b. Value j of row i is offset + y(i, j),
y(i, j) = scale * u("frechet-<width>-<set>", i * width + j) + 0.5 * y(i, j - 1), u of README.md, scale 1 for
a and 0.75 for b: neighbours are correlated. Writes golden/frechet.json: per case the sizes and
|m1 - m2|^2 + tr(S1 + S2 - 2 sqrtm(S1 S2)), covariances with divisor N - 1.
"""
import json
import pathlib

import numpy
import scipy.linalg

from reference_nets import uniform

CASES = [{"width": 1, "rows_a": 5, "rows_b": 7, "offset": 0.0},
         {"width": 4, "rows_a": 40, "rows_b": 25, "offset": 0.0},
         {"width": 16, "rows_a": 64, "rows_b": 100, "offset": 2.0},
         {"width": 64, "rows_a": 300, "rows_b": 280, "offset": 1000.0}]
SCALES = {"a": 1.0, "b": 0.75}


def features(case, which):
    rows, width = case[f"rows_{which}"], case["width"]
    values = SCALES[which] * uniform(f"frechet-{width}-{which}", (rows, width)).numpy()
    for j in range(1, width):
        values[:, j] += 0.5 * values[:, j - 1]
    return values + case["offset"]


def distance(case):
    a, b = features(case, "a"), features(case, "b")
    s1, s2 = (numpy.atleast_2d(numpy.cov(x, rowvar=False)) for x in (a, b))
    difference = a.mean(axis=0) - b.mean(axis=0)
    root = scipy.linalg.sqrtm(s1 @ s2)
    assert abs(numpy.trace(root).imag) < 1e-9
    return float(difference @ difference + numpy.trace(s1 + s2 - 2.0 * root.real))


def main():
    cases = [dict(case, distance=distance(case)) for case in CASES]
    text = json.dumps({"scipy": scipy.__version__, "cases": cases}, indent=1) + "\n"
    (pathlib.Path(__file__).parent / "golden" / "frechet.json").write_text(text)


if __name__ == "__main__":
    main()
