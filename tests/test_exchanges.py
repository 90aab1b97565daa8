"""Sums of few products are seen in noise, under reciprocals and roots; few rows and one column give none."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from tables import table

from kansym.formula.program import Program
from kansym.search.structure.problem import problem
from kansym.search.tree import evidence, exchanges

LAWS = {
    "a sum": (lambda a, t, c, m: a * (t - c) * m**2 - 3 * m**4, "atcm", [(1, 2), (0, 5), (1, 4), (-2, 2)]),
    "a cubic": (
        lambda r, n, k, a: r * n * (1 - n / k) * (n / a - 1), "rnka", [(0.2, 1), (1, 90), (50, 120), (5, 20)]
    ),
    "a reciprocal": (
        lambda v, s, m, i, k, u: v * s / (m * (1 + i / k) + s * (1 + i / u)), "vsmiku",
        [(1, 5), (0.5, 8), (0.5, 3), (0.2, 4), (0.5, 3), (0.5, 3)],
    ),
    "six pairs of twelve": (
        lambda *c: sum(a * b for a, b in zip(c[::2], c[1::2], strict=True)), "abcdefghijkl", [(0.5, 3)] * 12
    ),
    "a root": (lambda a, b, c: np.sqrt(a**2 + 4 * b * c), "abc", [(1, 5), (0.5, 4), (0.5, 3)]),
}  # fmt: skip


def seen(asked):
    return exchanges.fits(asked, evidence.loss(asked))


@pytest.mark.parametrize("noise", [0.01, 0.05])
@pytest.mark.parametrize("name", LAWS)
def test_few_of_thousands_of_products_are_told_in_noise(name, noise):
    law = partial(table, *LAWS[name], rows=800)
    best = min(seen(problem(law(noise=noise))), key=lambda fit: fit.share)
    (proposal,) = best.name()
    formula = best.problem.finish(proposal.write())
    fresh = law(seed=7)
    values = Program.compile(formula, problem(fresh).formulas).value(fresh.X)
    assert np.mean((values - fresh.y) ** 2) < 0.1 * noise**2 * np.var(fresh.y)
    assert 0.5 * noise**2 < proposal.share < 2 * noise**2


def test_a_hundred_rows_are_enough():
    data = partial(table, *LAWS["a reciprocal"], rows=100)
    best = min(seen(problem(data(noise=0.02))), key=lambda fit: fit.share)
    formula = best.problem.finish(best.name()[0].write())
    fresh = data(seed=7)
    values = Program.compile(formula, problem(fresh).formulas).value(fresh.X)
    assert np.mean((values - fresh.y) ** 2) < 1e-3 * np.var(fresh.y)


def test_a_reciprocal_is_written_without_a_factor_too_many():
    found = seen(problem(table(lambda a, b: 1 / (a + b), "ab", [(1, 4)] * 2, noise=0.01)))
    texts = [str(f.problem.finish(f.name()[0].write())) for f in found]
    assert any(t.startswith("1/(") for t in texts)


def test_what_is_no_such_sum_leaves_more_than_noise():
    asked = problem(table(lambda a, b: a * np.sin(9 * b), "ab", [(1, 2), (0, 3)], noise=0.01))
    assert min(fit.share for fit in seen(asked)) > 0.1


@pytest.mark.parametrize(("names", "rows"), [("a", 600), ("ab", 50)])
def test_one_column_or_few_rows_are_left_to_others(names, rows):
    assert not seen(problem(table(lambda *x: x[0] ** 2, names, [(1, 2)] * len(names), rows=rows)))


def test_a_column_that_is_undefined_or_nothing_is_no_error():
    data = table(lambda a, b: a + b, "ab", [(1, 2)] * 2)
    data.X[:, 1] = 0.0
    assert not seen(problem(data))
