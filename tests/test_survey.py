"""Outliers, correlated rows and the verdict: what is said of a table besides its law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from kansym import discover
from kansym.base.errors import UnknownNameError
from kansym.data.dataset import from_arrays
from kansym.functions.library import Library
from kansym.judge import noise, outliers
from kansym.judge.archive import Archive
from kansym.judge.chance import Chance
from kansym.judge.correlation import correlation
from kansym.judge.ending import Ending
from kansym.judge.outliers import Outlier, flagged
from kansym.judge.refine import refine
from kansym.judge.survey import again, survey
from kansym.judge.trial import Trial
from kansym.judge.verdict import LAW, NOISE, STRUCTURE, Fit, Verdict, more_than_noise, verdict
from kansym.pipeline import flow

rng = np.random.default_rng(0)
x = np.linspace(0, 10, 100)
quiet = 0.1 * rng.normal(size=100)


def test_single_rows_that_are_off_are_flagged() -> None:
    r = quiet.copy()
    r[[10, 50]] = 3.0, -2.0
    assert np.flatnonzero(flagged(x[:, None], r)).tolist() == [10, 50]


def test_a_sharp_peak_is_no_outlier() -> None:
    r = quiet.copy()
    r[40:44] = 3.0
    assert not flagged(x[:, None], r).any()


def test_noise_with_heavy_tails_seldom_has_outliers() -> None:
    tables = [np.random.default_rng(seed).standard_cauchy(100) for seed in range(30)]
    # of Cauchy noise the largest is eight times the next once in eight tables
    assert sum(flagged(x[:, None], r).any() for r in tables) <= 6


def test_a_row_far_from_all_others_is_flagged_whatever_they_are_like() -> None:
    r = 1e-3 * np.exp(-x) * np.sin(20 * x)  # a motion that dies away: no noise of one size
    r[2] = 0.05
    assert np.flatnonzero(flagged(x[:, None], r)).tolist() == [2]


@given(st.integers(0, 2**31), st.floats(1e-6, 1e6))
@settings(max_examples=30, deadline=None)
def test_flags_do_not_depend_on_the_unit_and_spare_normal_noise(seed: int, unit: float) -> None:
    r = np.random.default_rng(seed).normal(size=60)
    assert not flagged(x[:60, None], r * unit).any()
    r[7] = 50.0
    assert np.flatnonzero(flagged(x[:60, None], r * unit)).tolist() == [7]


@pytest.mark.parametrize(
    "r", [np.zeros(30), np.ones(5), np.array([np.nan] * 20)], ids=["zero", "few", "undefined"]
)
def test_what_cannot_be_judged_is_not_flagged(r: np.ndarray) -> None:
    assert not flagged(np.arange(len(r), dtype=float)[:, None], r).any()


def test_a_survey_leaves_out_what_is_off_and_lists_it() -> None:
    y = np.exp(-x / 3) + 0.01 * rng.normal(size=100)
    y[30] += 2
    found = survey(from_arrays(x, y))
    assert found.dataset.rows == 99
    (outlier,) = found.outliers
    assert (outlier.row, outlier.inputs) == (30, (x[30],))
    assert outlier.expected == pytest.approx(np.exp(-x[30] / 3), abs=0.05)
    assert survey(from_arrays(x, y), robust="off").dataset.rows == 100
    assert Outlier.from_dict(outlier.to_dict()) == outlier
    with pytest.raises(UnknownNameError, match="rule for outliers"):
        survey(from_arrays(x, y), robust="perhaps")


def test_repeated_rows_that_differ_leave_no_exact_law(monkeypatch) -> None:
    x = np.repeat(np.linspace(1, 8, 12), 3)
    z = np.repeat(np.tile([1.0, 2.0], 6), 3)
    y = 5 * x / (x + 2 * z)
    off = np.random.default_rng(0).normal(size=len(y))
    for noise_of, scattered in ((0.0, False), (1e-9, False), (0.05, True)):
        data = from_arrays(np.column_stack([x, z]), y + noise_of * off, ["x", "z"])
        assert survey(data).scattered is scattered
    looked: list[str] = []
    monkeypatch.setattr(flow, "idle", lambda step, ending, asked, noisy: looked.append(str(noisy)) or True)
    discover(data)
    assert set(looked) == {"True"}


def test_outliers_are_shown_beside_the_law_that_is_shown() -> None:
    doses = np.repeat([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50], 3)
    y = 90 / (1 + (doses / 3) ** 1.2) + 8 + np.random.default_rng(0).normal(0, 1.6, 27)
    y[10] = 2.1
    run = discover(from_arrays(doses, y), time_limit=4)
    (outlier,) = run.outliers
    assert (outlier.row, outlier.value) == (10, 2.1)
    assert outlier.expected == pytest.approx(run.predict(np.array([[1.0]]))[0], rel=1e-9)


def test_weights_follow_the_kind_of_noise() -> None:
    y = np.exp(x / 3) * (1 + 0.05 * rng.normal(size=100))
    found = survey(from_arrays(x, y))
    assert found.noise.kind == "relative"
    assert found.dataset.weights is not None
    assert found.dataset.weights[0] / found.dataset.weights[-1] == pytest.approx(np.exp(20 / 3), rel=0.3)
    assert survey(from_arrays(x, y), asked="additive").dataset.weights is None


def test_a_law_shows_rows_that_a_trend_could_not() -> None:
    X = rng.uniform(-2, 2, (200, 2))
    law = np.sin(9 * X[:, 0] * X[:, 1])
    y = law.copy()
    y[3] += 0.05
    before = survey(from_arrays(X, y))
    assert before.dataset.rows == 200
    after = again(before, law + 1e-6 * rng.normal(size=200))
    assert after is not None
    assert [o.row for o in after.outliers] == [3]
    assert again(after, law + 1e-6 * rng.normal(size=200)) is None
    assert again(before, np.full(200, np.nan)) is None


def test_a_law_shows_a_kind_of_noise_that_a_trend_could_not() -> None:
    X = rng.uniform(-2, 2, (300, 2))
    law = 3 + 2 * np.sin(9 * X[:, 0] * X[:, 1])
    before = survey(from_arrays(X, law * (1 + 0.05 * rng.normal(size=300))))
    assert before.dataset.weights is None
    after = again(before, law)
    assert after is not None
    assert (after.noise.kind, after.noise.sigma) == ("relative", pytest.approx(0.05, rel=0.2))
    assert after.dataset.weights == pytest.approx(1 / after.noise.variance(law))
    assert again(after, law) is None
    assert again(before, law, asked="additive") is None


def test_few_rows_tell_how_their_noise_grows_about_a_law_fitted_for_each_kind() -> None:
    few = np.linspace(0.5, 16, 10)
    law = 12 * np.exp(-0.2 * few)
    before = survey(from_arrays(few, law * (1 + 0.07 * np.random.default_rng(3).normal(size=10))))
    assert before.noise.kind != "relative"
    # least squares follow the large values, and leave the small ones more than their share
    plain = law + 0.5 * np.sin(few)
    known = noise.Explained(plain, 10.0)
    fits = {"additive": known, "relative": noise.Explained(law, 10.0), "poisson": known}
    after = again(before, plain, fits=fits)
    assert after is not None and after.noise.kind == "relative"
    assert again(before, plain, fits={**fits, "relative": noise.Explained(law, 90.0)}) is None
    assert after.dataset.weights == pytest.approx(1 / after.noise.variance(law))


def test_rows_far_off_weigh_less_where_noise_has_heavy_tails() -> None:
    y = 3 * x + np.random.default_rng(0).standard_t(2, size=100)
    found = survey(from_arrays(x, y))
    assert found.noise.heavy and "heavy tails" in found.noise.words
    weights, off = found.dataset.weights, np.abs(found.dataset.y - 3 * found.dataset.X[:, 0])
    assert weights is not None and weights[np.argmax(off)] < 0.2 * weights[np.argmin(off)]
    assert survey(from_arrays(x, y), robust="off").dataset.weights is None
    assert survey(from_arrays(x, 3 * x + quiet)).dataset.weights is None


def test_normal_noise_has_no_heavy_tails() -> None:
    draws = [np.random.default_rng(seed).normal(size=40) for seed in range(50)]
    assert all(outliers.tail_weights(r) is None for r in draws)
    assert outliers.tail_weights(np.zeros(40)) is None


def test_a_law_weighs_rows_where_a_crude_trend_weighed_them_otherwise() -> None:
    y = np.exp(x / 3) * (1 + 0.05 * rng.normal(size=100))
    before = survey(from_arrays(x, y))
    law = np.exp(x / 3)
    assert before.noise.kind == "relative" and again(before, law) is None
    crude = replace(before, dataset=replace(before.dataset, weights=np.exp(-x)))
    after = again(crude, law)
    assert after is not None and after.dataset.weights == pytest.approx(1 / after.noise.variance(law))


def test_tails_that_a_law_does_not_leave_are_no_longer_weighed() -> None:
    rows = np.random.default_rng(0)
    X = rows.uniform(1, 5, (500, 4))
    law = 1 / (np.exp(X[:, 0] * X[:, 1] / (2 * np.pi * X[:, 2] * X[:, 3])) - 1)
    before = survey(from_arrays(X, law + 0.1 * rows.normal(size=(2, 500))[1]))
    # what the trend misses where the law is steep
    assert before.noise.heavy and before.dataset.weights is not None
    after = again(before, law)
    assert after is not None and not after.noise.heavy and after.dataset.weights is None


def test_a_search_of_noise_may_end_and_one_of_a_law_may_not() -> None:
    columns = rng.uniform(-1, 1, (100, 2))
    for y, there in (
        (rng.normal(size=100), False),
        (np.sin(3 * columns[:, 0]) + 0.1 * rng.normal(size=100), True),
    ):
        seen = survey(from_arrays(columns, y))
        archive = Archive(Trial.of(seen.dataset, Library.load("default"), 0), 60)
        for law in refine(sympy.Float(float(y.mean())), archive.trial, "constant"):
            archive.add(law)
        ending = Ending(seen, archive)
        assert ending.nothing_there() is not there
        assert ending.only_noise_left() is not there


@pytest.mark.parametrize(
    ("law", "noise", "clear"),
    [
        (lambda X: X[:, 0] * np.exp(-X[:, 1]), 0.01, True),
        (lambda X: X[:, 0] * np.exp(-X[:, 1]), 0.0, False),
        (lambda X: 1 / (0.05 + X[:, 0] ** 2 + X[:, 1] ** 2), 0.0, False),  # steep: most trends miss its top
        (lambda X: np.sin(90 * X[:, 0]), 0.0, False),  # quick: no trend sees anything
    ],
)
def test_noise_is_clear_where_no_exact_law_could_look_like_it(law, noise: float, clear: bool) -> None:
    draw = np.random.default_rng(5)
    X = draw.uniform(-1, 1, (400, 2))
    y = law(X)
    assert survey(from_arrays(X, y + noise * y.std() * draw.normal(size=400))).clear is clear


def test_few_rows_show_no_clear_noise() -> None:
    # ten terms of a trend among 100 rows miss a Hill curve with a base as noise would
    draw = np.random.default_rng(5)
    X = draw.uniform(-1, 1, (100, 2))
    y = X[:, 0] * np.exp(-X[:, 1])
    assert not survey(from_arrays(X, y + 0.01 * y.std() * draw.normal(size=100))).clear


def drift(n: int, lag: float, seed: int) -> np.ndarray:
    e = np.random.default_rng(seed).normal(size=n)
    out = np.zeros(n)
    for i in range(1, n):
        out[i] = lag * out[i - 1] + e[i]
    return out


def test_drifting_noise_is_named_and_a_wave_is_not() -> None:
    t = np.arange(300.0)
    found = correlation(t[:, None], drift(300, 0.8, 2), ("t",))
    assert found.explains
    assert found.along == "t"
    assert found.lag == pytest.approx(0.8, abs=0.1)
    assert not correlation(t[:, None], np.sin(0.05 * t)).explains
    assert correlation(t[:, None], np.random.default_rng(3).normal(size=300)).lag == 0
    assert correlation(t[:, None], np.zeros(300)).lag == 0


def fit_of(values: np.ndarray, saved: float, **changes: object) -> Fit:
    return replace(Fit(values, False, False, 0.01, saved, 20.0), **changes)  # type: ignore[arg-type]


def test_verdicts() -> None:
    noise = survey(from_arrays(x, rng.normal(size=100)))
    wave = survey(from_arrays(x, np.sin(7 * x) + 0.1 * rng.normal(size=100)))
    flat = np.zeros(100)
    assert verdict(noise, fit_of(flat, 5.0)).kind == NOISE
    assert verdict(noise, fit_of(flat, 100.0, exact=True)).kind == LAW
    assert verdict(wave, fit_of(np.sin(7 * x), 150.0)).kind == LAW
    assert verdict(wave, fit_of(flat, 0.0, constant=True)).kind == STRUCTURE
    half = verdict(wave, fit_of(0.3 * np.sin(7 * x), 30.0, heldout=0.5))
    assert half.kind == STRUCTURE
    assert Verdict.from_dict(half.to_dict()) == half


def test_a_weak_sign_and_a_formula_that_saves_a_little_are_a_law_together() -> None:
    weak, luck = Chance(0.01, "runs of signs", 3.0), Chance(0.3, "runs of signs", 1.0)
    assert more_than_noise(weak, 6.0) and not more_than_noise(weak, 2.0)
    assert not more_than_noise(luck, 6.0) and more_than_noise(luck, 50.0)


def test_what_stated_errors_explain_is_said_to_be_no_more() -> None:
    X = np.linspace(0, 1, 40)[:, None]
    surveyed = survey(from_arrays(X, 3 * X[:, 0] + 0.1 * np.sin(40 * X[:, 0])))
    fit = fit_of(3 * X[:, 0], 60.0, within=True)
    assert verdict(surveyed, fit).reason == "what it leaves is no more than the stated errors"


def test_a_drift_is_no_law() -> None:
    t = np.arange(300.0)
    y = drift(300, 0.9, 4)
    smooth = np.polynomial.Polynomial.fit(t, y, 5)(t)
    found = verdict(survey(from_arrays(t, y)), fit_of(smooth, 60.0, price=40.0))
    assert found.kind == NOISE
    assert found.correlation > 0.5


def test_what_leaves_independent_rows_is_no_drift() -> None:
    # rows sorted by the input, under so much noise that each is nearly as well told from the one before it
    draw = np.random.default_rng(28)
    t = np.sort(draw.uniform(0, 10, 50))
    y = 0.5 * t + draw.normal(size=50)
    fit = fit_of(np.polynomial.Polynomial.fit(t, y, 1)(t), 31.0, price=15.0)
    surveyed = survey(from_arrays(t, y))
    assert verdict(surveyed, fit).kind == LAW
    assert verdict(surveyed, replace(fit, values=np.full(50, y.mean()), constant=True)).kind != LAW


def test_far_is_far_beyond_normal_noise() -> None:
    assert outliers.FAR > 5


def test_what_is_off_by_its_last_digit_is_no_outlier():
    temperature = np.arange(280.0, 380.0, 5.0)
    rate = np.array([float(f"{v:.5e}") for v in 1e9 * np.exp(-6000 / temperature)])
    surveyed = survey(from_arrays(temperature, rate, ["T"]))
    later = again(surveyed, 1e9 * np.exp(-6000 / temperature))
    assert (surveyed if later is None else later).kept.all()


@pytest.mark.parametrize(("noise", "clear"), [(0.02, True), (0.0, False)])
def test_of_one_column_fewer_rows_show_clear_noise(noise: float, clear: bool) -> None:
    draw = np.random.default_rng(6)
    x = np.sort(draw.uniform(0, 4, 120))
    y = 3 * np.exp(-x) + np.sin(2 * x)
    assert survey(from_arrays(x[:, None], y + noise * y.std() * draw.normal(size=120))).clear is clear


def test_rows_that_a_law_meets_whatever_the_noise_say_nothing_of_it():
    # a curve of five constants through fourteen rows by least absolute deviations meets five of them
    found = {0.0: np.zeros(2), 5.0: np.zeros(2)}
    for seed in range(200):
        for off, flags in found.items():
            left = np.random.default_rng(seed).normal(size=14)
            left[::3] = 0.0
            left[7] += off
            flags += [flagged(np.arange(14.0)[:, None], left, met=met)[7] for met in (0, 5)]
    assert (found[0.0] <= 2).all()
    assert found[5.0][0] > 60 and found[5.0][1] < 20, "by the median of all rows five SD would be far"


def test_of_eleven_rows_one_is_off_by_all_others_and_stays_out():
    X = np.arange(11.0)[:, None]
    off = np.array([0.3, -1, 1.1, 0, 0, -1.2, 0.1, -8.5, 0.5, -0.7, 0.7])
    assert np.flatnonzero(flagged(X, off, met=2)).tolist() == [7], "ten SD of the others, eight of the median"
    again = np.array([0.8, -0.1, 1, 0.2, 0.1, -0.7, 0, -5.2, 0.1, -0.7, 0])
    assert not flagged(X, again, met=2).any()
    assert np.flatnonzero(flagged(X, again, met=2, before=np.arange(11) == 7)).tolist() == [7]
    assert not flagged(X, again / np.where(again < -5, 4, 1), met=2, before=np.arange(11) == 7).any()


def test_normal_rows_are_seldom_off():
    rng = np.random.default_rng(2)
    found = [flagged(rng.uniform(0, 1, (10, 1)), rng.normal(size=10)).any() for _ in range(1500)]
    assert sum(found) <= 2  # six by the median alone


def test_a_formula_that_foretells_rows_left_out_is_a_law_whatever_the_tests_see():
    luck = Chance(0.018, "trees", 3.0)
    assert more_than_noise(luck, 25.0, 0.99) and not more_than_noise(luck, 25.0, 0.8)
    assert not more_than_noise(luck, 8.0, 0.99)


def test_twelve_rows_of_two_springs_are_no_noise():
    stretch, spring = np.tile([2.0, 4, 6, 8, 10, 12], 2), np.repeat([0.245, 0.41], 6)
    force = np.round(spring * stretch + 0.04 * np.random.default_rng(50).normal(size=12), 2)
    run = discover(pd.DataFrame({"spring": np.repeat(["a", "b"], 6), "stretch": stretch, "force": force}))
    assert run.verdict.kind == LAW and run.best.loss < 0.003


@pytest.mark.parametrize(("noise", "clear"), [(0.02, True), (0.0, False)])
def test_repeated_rows_that_differ_show_clear_noise(noise: float, clear: bool) -> None:
    draw = np.random.default_rng(5)
    x = np.repeat(np.linspace(0.2, 3, 8), 2)
    y = np.exp(-x)
    assert survey(from_arrays(x[:, None], y + noise * y.std() * draw.normal(size=16))).clear is clear
