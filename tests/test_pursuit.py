"""Sums of products among many columns, and products of powers of all of them."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from kansym.base.budget import Budget
from kansym.data.dataset import from_arrays
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.pipeline.flow import discover
from kansym.pipeline.options import Options
from kansym.search import pursuit, registry


def proposed(X: np.ndarray, y: np.ndarray, **options: object) -> list:
    names = [f"f{k}" for k in range(1, X.shape[1] + 1)]
    return list(pursuit.propose(from_arrays(X, y, names), budget=Budget(), **options))  # type: ignore[arg-type]


def noisy(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return y + 0.01 * y.std() * rng.normal(size=len(y))


def test_two_products_are_found_among_many_columns() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(250, 60))
    best = proposed(X, noisy(2 * X[:, 2] * X[:, 39] - X[:, 50] * np.abs(X[:, 7]), rng))[0]
    f3, f40, f51, f8 = sympy.symbols("f3 f40 f51 f8", real=True)
    terms = best.expression.as_coefficients_dict()
    assert terms[f3 * f40] == pytest.approx(2, abs=0.01)
    assert terms[f51 * sympy.Abs(f8)] == pytest.approx(-1, abs=0.01)
    assert best.score < 2e-4


def test_exponents_of_all_columns_are_measured() -> None:
    rng = np.random.default_rng(4)
    X = rng.uniform(1, 3, (600, 16))
    powers = rng.choice([-1, -0.5, 0.5, 1], 16)
    best = proposed(X, noisy(np.prod(X**powers, axis=1), rng))[0].expression.as_powers_dict()
    found = {str(base): float(e) for base, e in best.items() if base.is_Symbol}
    assert [found[f"f{k + 1}"] for k in range(16)] == pytest.approx(list(powers), abs=0.1)


def test_a_law_of_twenty_columns_is_shown_whole() -> None:
    """Its values span decades, so that most are small beside the noise, and it has more than sixty nodes."""
    rng = np.random.default_rng(1)
    X = rng.uniform(0.5, 2, (1000, 20))
    powers = rng.choice([-2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2], 20)
    y = noisy(3.3 * np.prod(X**powers, axis=1), rng)
    run = discover(X, y, names=[f"x{k}" for k in range(20)])
    found = run.best.expression.as_powers_dict()
    assert [float(found[s]) for s in symbols([f"x{k}" for k in range(20)])] == list(powers)


def test_many_columns_have_room_unless_a_person_wants_short_formulas() -> None:
    assert [Options().limit(d) for d in (3, 10, 20)] == [60, 60, 100]
    assert Options(maxsize=15).limit(20) == 15


def test_only_functions_of_the_library_are_used() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(100, 12))
    library = Library.load("all").only(["x", "sin"])
    for candidate in proposed(X, np.abs(X[:, 0]) * X[:, 1], library=library):
        assert not candidate.expression.has(sympy.Abs)


def test_few_columns_and_no_time_give_nothing() -> None:
    X = np.random.default_rng(3).normal(size=(50, 12))
    assert not registry.PURSUIT.takes(from_arrays(X[:, :9], X[:, 0]))
    names = [f"f{k}" for k in range(12)]
    assert list(pursuit.propose(from_arrays(X, X[:, 0], names), budget=Budget(work=0.0))) == []
