"""Formulas that respect units, and tables in dimensionless groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import kansym
from kansym.data import dimensions
from kansym.data.dataset import from_arrays, from_table
from kansym.data.dimensions import Dimensions
from kansym.functions.parsing import parse_expression, symbols

NAMES = ["m", "v", "c", "theta"]
UNITS = {"m": "kg", "v": "m/s", "c": "m/s", "theta": "1", "E": "J"}


def dataset(law=lambda m, v, c, t: m * c**2 / np.sqrt(1 - (v / c) ** 2), noise=0.0, **units):
    rng = np.random.default_rng(0)
    X = rng.uniform([1, 1, 3, 0.1], [5, 2, 9, 1.0], (300, 4))
    y = law(*X.T)
    y = y + noise * np.std(y) * rng.normal(size=len(y))
    return from_arrays(X, y, NAMES, target="E", units={**UNITS, **units})


@pytest.mark.parametrize(
    ("formula", "allowed"),
    [
        ("m*c^2", True),
        ("m*v*c", True),
        ("3.7*m*v^2*sin(theta)", True),
        ("m*c^2/sqrt(1 - v^2/c^2)", True),
        ("m*v^2 + 0.5*m*c^2*exp(-v/c)", True),
        ("m*sqrt(v)*c^(3/2)", True),
        ("m*abs(v - c)*c", True),
        ("m*c", False),
        ("m*c^2 + v", False),
        ("m*c^2 + 1", False),
        ("m*c^2*sin(v)", False),
        ("m*c^2*exp(theta + m)", False),
        ("m*v^theta*c^2", False),
        ("m*c^2*(v/c)^theta", True),
    ],
)
def test_units_allow_what_physics_allows(formula: str, allowed: bool) -> None:
    found = Dimensions.of(dataset())
    assert found is not None
    assert found.allow(parse_expression(formula, NAMES)) == allowed


def test_the_table_in_groups_holds_the_same_law() -> None:
    data = dataset()
    small = dimensions.reduced(data)
    assert small is not None and small.dataset.X.shape[1] == 2
    columns = symbols(small.dataset.names)
    back = small.back(columns[0] + columns[1])
    assert Dimensions.of(data).allow(back)
    # residuals of y/product, weighted, are those of y
    scale = data.y / small.dataset.y
    weights = small.dataset.weights
    np.testing.assert_allclose(weights / weights.mean(), scale**2 / np.mean(scale**2))


def test_without_a_product_in_the_targets_unit_nothing_is_excluded() -> None:
    data = dataset(E="K")
    assert Dimensions.of(data) is None and dimensions.reduced(data) is None
    run = kansym.discover(dataset(lambda m, v, c, t: 2 * m, E="K"), kan=False)
    assert str(run.best.expression) == "2*m"
    assert any("no product of inputs has the target's unit" in note for note in run.data["notes"])


def test_only_formulas_that_respect_units_are_offered() -> None:
    data = dataset(noise=0.05)
    run = kansym.discover(data, kan=False, time_limit=12)
    allowed = Dimensions.of(data)
    assert len(run.front) > 1
    for law in run.front:
        assert allowed.allow(law.expression), law.equation
    assert "only formulas that respect the units are offered" in run.data["notes"]


def test_the_law_is_found_through_its_groups() -> None:
    run = kansym.discover(dataset(), kan=False)
    assert run.best.exact
    truth = parse_expression("m*c^2/sqrt(1 - v^2/c^2)", NAMES)
    X = dataset().X
    import sympy

    f = sympy.lambdify(symbols(NAMES), truth)
    np.testing.assert_allclose(run.predict(X), f(*X.T), rtol=1e-9)


def test_numbers_may_have_units_when_asked() -> None:
    data = dataset(lambda m, v, c, t: m + 3.0 * v)
    run = kansym.discover(data, unit_constants=True, kan=False)
    assert run.best.exact and str(run.best.expression) == "m + 3*v"


def test_where_units_exclude_every_law_constants_may_have_some() -> None:
    rng = np.random.default_rng(1)
    c = np.linspace(0.5, 12, 40)
    share = c / (c + 2.5)
    frame = pd.DataFrame({"c": c, "yield": share + rng.normal(0, 0.003, 40)})
    run = kansym.discover(from_table(frame, units={"c": "mmol/L", "yield": "1"}), kan=False)
    assert run.verdict.kind == "law" and run.best.source == "Michaelis-Menten"
    assert run.best.equation == "c/(c + 5/2)"
    assert any("constants that have units" in note for note in run.data["notes"])
    # two voltages: groups are left, so that the search has to see for itself
    a, b = rng.uniform(0.5, 12, (2, 40))
    gain = pd.DataFrame({"a": a, "b": b, "out": a / (1 + a / 3) + b})
    volts = dict.fromkeys(("a", "b", "out"), "V")
    run = kansym.discover(from_table(gain, units=volts), kan=False, effort=0.3)
    assert run.verdict.kind == "law"
    assert "only formulas that respect the units are offered" not in run.data["notes"]


def test_units_that_a_familiar_curve_defies_end_a_search_within_them():
    """Two fertilisers in kg/ha, a yield in t/ha: no slope of theirs is a number without a unit."""
    rng = np.random.default_rng(15011)
    N, P = rng.uniform(0, 160, 36).round(), rng.choice([0.0, 20.0, 40.0, 60.0], 36)
    y = np.round(2.1 + 0.03 * N + 0.021 * P + 0.28 * rng.normal(size=36), 2)
    frame = pd.DataFrame({"N (kg/ha)": N, "P (kg/ha)": P, "yield (t/ha)": y})
    told: list[str] = []
    run = kansym.discover(frame, progress=lambda p: told.append(p.stage))
    assert "structure" not in told and any("constants that have units" in n for n in run.data["notes"])
    assert {s.name for s in run.best.expression.free_symbols} == {"N", "P"} and run.verdict.kind == "law"
