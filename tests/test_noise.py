"""One criterion for every decision: order of fits, pooled losses, binned curves."""

from __future__ import annotations

import numpy as np
import pytest

from kansym.base import criterion
from kansym.base.errors import InputError
from kansym.data.dataset import from_arrays
from kansym.functions.library import Library
from kansym.judge.trial import Trial
from kansym.pipeline.flow import Options
from kansym.search.structure import curve


def test_noisy_fits_are_ranked_by_description_length() -> None:
    # among 500 rows one percent of residual is worth 2.5 nats, which is less than two symbols
    assert criterion.rank(0.0101, 3.0, 500) < criterion.rank(0.0100, 5.0, 500)
    assert criterion.rank(0.0105, 3.0, 500) > criterion.rank(0.0100, 5.0, 500)


def test_sharp_fits_are_ranked_by_size_before_price() -> None:
    assert criterion.rank(1e-12, 9.0, 500) < criterion.rank(1e-7, 5.0, 500)
    assert np.all(np.diff(criterion.rank(np.geomspace(1e-20, 1, 50), 3.0, 100)) >= 0)


def trial() -> Trial:
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 2, (500, 1))
    return Trial.of(from_arrays(X, X[:, 0] + rng.normal(size=500)), Library.load("default"), 0)


def test_chance_on_held_out_rows_does_not_rank() -> None:
    t = trial()
    assert t.rows == 500
    assert t.pooled(1.0, 1.1) == pytest.approx(1.02)


def test_overfit_is_seen_on_held_out_rows() -> None:
    t = trial()
    assert t.pooled(1.0, 2.0) == 2.0
    assert t.pooled(1.0, np.inf) == 4.0


def test_a_tiny_table_is_judged_by_its_loss_unless_one_row_decides_all() -> None:
    X = np.linspace(1, 2, 12)[:, None]
    t = Trial.of(from_arrays(X, X[:, 0] + 0.1 * np.random.default_rng(0).normal(size=12)), Library.load(), 0)
    assert t.tiny and t.pooled(1.0, 1.9) == 1.0 and t.pooled(1.0, 3.9) == pytest.approx(3.9 / t.by_chance)
    assert t.pooled(1.0, 1.01 * t.by_chance) == pytest.approx(1.01), "no jump where chance ends"


@pytest.mark.parametrize(("level", "noisy"), [(0.0, False), (1e-2, True)])
def test_only_noise_is_averaged(level: float, noisy: bool) -> None:
    rng = np.random.default_rng(0)
    h = np.sort(rng.uniform(0.5, 5, 300))
    t = np.sin(3 * h) ** 2 / h**2 + level * rng.normal(size=300)
    assert curve.noisy(h, t, np.ones(300)) == noisy


def test_a_noisy_curve_below_zero_in_places_keeps_its_name() -> None:
    # exp(-h²) is all but 0 for many rows, so that noise makes them negative and log(t) undefined
    rng = np.random.default_rng(0)
    h = rng.uniform(0, 3, 600)
    t = np.exp(-(h**2)) + 1e-3 * rng.normal(size=600)
    assert (t < 0).any()
    x = curve.sympy.Symbol("x", real=True)
    grid = np.linspace(0, 3, 50)
    found = [curve.sympy.lambdify(x, law.formula(x))(grid) for law in curve.laws(h, t, np.ones(600))[:8]]
    assert min(np.max(np.abs(f - np.exp(-(grid**2)))) for f in found) < 3e-3


@pytest.mark.parametrize(
    ("option", "value"),
    [("time_limit", float("nan")), ("time_limit", -1.0), ("effort", float("nan")), ("effort", float("inf")),
     ("maxsize", 0), ("jobs", 0), ("device", "tpu")],
)  # fmt: skip
def test_options_refuse_what_no_run_can_take(option: str, value: object) -> None:
    with pytest.raises(InputError, match=str(value)):
        Options(**{option: value})
