"""Whether a found formula is the truth, as the benchmarks judge it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import sympy

from kansym.functions.parsing import parse_expression, symbols

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
import verdicts

NAMES = ["w", "v", "c"]


def sample(width: float) -> np.ndarray:
    return np.random.default_rng(0).uniform((1, 1, 3), (2, 2, 8), (200, 3))


def values(e: sympy.Expr, X: np.ndarray) -> np.ndarray:
    return sympy.lambdify(symbols(NAMES), e)(*X.T)


@pytest.mark.parametrize(
    ("found", "recovered"),
    [
        ("w*sqrt(2/(1 - v/c) - 1)", True),
        ("-w*sqrt(2/(1 - v/c) - 1)", False),
        ("w*exp(0.97*tan(1.03*v/c))", False),
    ],
)
def test_formulas_of_equal_squares_and_signs_are_equal(found: str, recovered: bool) -> None:
    law = parse_expression("w*(1 + v/c)/sqrt(1 - v**2/c**2)", NAMES)
    judged = verdicts.verdict(parse_expression(found, NAMES), law, sample, values, set(symbols(NAMES)), 0.01)
    assert judged.recovered is recovered


def test_pi_is_a_number_wherever_it_stands() -> None:
    """SymPy's evalf leaves pi within an exponential that stands in a sum."""
    law = parse_expression("w/(2*pi*(exp(w/(2*pi*c)) - 1))", NAMES)
    assert not verdicts.rounded(law).has(sympy.pi)
    assert verdicts.rounded(law) == verdicts.rounded(
        parse_expression("0.1591*w/(exp(0.1592*w/c) - 1)", NAMES)
    )
