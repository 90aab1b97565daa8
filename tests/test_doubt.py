"""The band of a formula that was chosen among others is wider than that of one that was known."""

from types import SimpleNamespace

import numpy as np
import pytest

from kansym.formula.polish import Rows, polish
from kansym.functions.parsing import parse_expression, symbols
from kansym.judge.doubt import doubt

(x,) = symbols(["x"])
X = np.linspace(1, 6, 6)[:, None]
ROWS = Rows(X, 10 * X[:, 0] ** 0.5 + np.random.default_rng(1).normal(size=6), None, (x,))


def judged(text, length):
    fitted = polish(parse_expression(text, ["x"]), ROWS)
    return SimpleNamespace(polished=fitted, loss=fitted.loss, length=length)


def test_a_formula_without_rivals_is_not_in_doubt():
    law = judged("9.0*x**0.5", 10.0)
    assert doubt(law, [law], ROWS) == 1.0
    assert doubt(law, [law, judged("5.0 + 3.0*x", 30.0)], ROWS) == 1.0


def test_rivals_widen_by_their_weight():
    law = judged("9.0*x**0.51", 10.0)
    near, far = judged("7.0*x**0.0", 10.0), judged("7.0*x**0.0", 13.0)
    assert doubt(law, [near], ROWS) > doubt(law, [far], ROWS) > 1.0
    own, other = (f.loss * 6 / (6 - len(f.polished.theta)) for f in (law, near))
    values = [f.polished.program.value(X, f.polished.theta) + np.zeros(6) for f in (law, near)]
    expected = (own + other + np.mean((values[0] - values[1]) ** 2)) / 2 / own
    assert doubt(law, [near], ROWS) == pytest.approx(expected)


def test_the_same_formula_written_twice_is_no_rival():
    law = judged("9.0*x**0.5", 10.0)
    again = judged("9.0*sqrt(x)", 10.0)
    assert doubt(law, [again], ROWS) == 1.0
