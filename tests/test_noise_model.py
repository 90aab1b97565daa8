"""The size and the kind of a table's noise, told without a law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kansym.base.errors import InputError, UnknownNameError
from kansym.judge import noise
from kansym.judge.kinds import KINDS, LOG, WHOLES, NoiseModel, possible
from kansym.judge.noise import ENOUGH_ABOUT_A_LAW, Explained, about, likelihood, measure
from kansym.judge.trend import scale_of, trend

x = np.linspace(0.5, 10, 120)
curve = 20 / (1 + np.exp(-(x - 5)))


def noisy(kind: str, size: float, seed: int = 0) -> np.ndarray:
    e = np.random.default_rng(seed).normal(size=len(x))
    growth = {"additive": np.ones_like(x), "relative": curve, "poisson": np.sqrt(curve)}[kind]
    return curve + size * growth * e


@pytest.mark.parametrize(("kind", "size"), [("additive", 0.3), ("relative", 0.08), ("poisson", 0.2)])
@pytest.mark.parametrize("seed", range(3))
def test_kinds_are_told_apart_and_measured(kind: str, size: float, seed: int) -> None:
    model = measure(x[:, None], noisy(kind, size, seed)).model
    assert model.kind == kind
    assert model.founded
    assert model.sigma == pytest.approx(size, rel=0.3)


def test_rounding_is_named_with_its_step() -> None:
    model = measure(x[:, None], np.round(curve)).model
    assert (model.kind, model.step) == ("rounding", 1.0)
    assert model.sigma == pytest.approx(12**-0.5, rel=0.4)


def test_repeated_rows_measure_the_noise_where_there_are_enough() -> None:
    rng = np.random.default_rng(3)
    X = np.repeat(rng.uniform(size=(15, 4)), 3, axis=0)
    y = np.sin(20 * X).sum(axis=1) + 0.1 * rng.normal(size=45)  # no trend follows this
    model = measure(X, y, asked="additive").model
    assert "repeated rows (30" in model.source
    assert model.sigma == pytest.approx(0.1, rel=0.3)


def test_exact_tables_have_no_kind() -> None:
    rng = np.random.default_rng(4)
    X = rng.uniform(1, 5, (300, 3))
    model = measure(X, X[:, 0] / (1 + X[:, 1] ** 2) * np.exp(X[:, 2])).model
    assert model.kind == "unknown"
    assert not model.founded


def test_given_weights_are_kept() -> None:
    sd = 0.1 * curve
    model = measure(x[:, None], noisy("relative", 0.1), 1 / sd**2, stated=True).model
    assert model.kind == "stated"
    assert model.sigma == pytest.approx(1.0, rel=0.3)


def test_a_kind_may_be_asked_for() -> None:
    for kind in KINDS:
        whole = WHOLES.get(kind, 20.0) / 40
        assert measure(x[:, None], whole * (noisy("additive", 0.3) + 9), asked=kind).model.kind == kind
    with pytest.raises(InputError, match="from 0 to 1;"):
        measure(x[:, None], noisy("additive", 0.3), asked="share")
    with pytest.raises(InputError, match="above zero"):
        measure(x[:, None], noisy("additive", 0.3) - 9, asked=LOG)
    with pytest.raises(UnknownNameError, match="kind of noise"):
        measure(x[:, None], curve, asked="pink")


def test_variance_is_one_at_the_middle_and_grows_as_named() -> None:
    values = np.array([1.0, 2.0, 4.0])
    relative, counting = NoiseModel("relative", 0.1, middle=2.0), NoiseModel("poisson", 1.0, middle=2.0)
    assert relative.variance(values) == pytest.approx([0.25, 1, 4])
    assert relative.deviation(values) == pytest.approx(0.1 * values)
    assert counting.variance(values) == pytest.approx([0.5, 1, 2])
    assert counting.deviation(values) == pytest.approx(np.sqrt(values))
    assert NoiseModel("additive", 3.0).deviation(values, np.full(3, 4.0)) == pytest.approx(1.5)


def test_shares_vary_least_near_nothing_and_the_whole() -> None:
    share, percent = NoiseModel("share", 0.1, middle=0.5), NoiseModel("percent", 0.1, middle=50.0)
    values = np.array([0.1, 0.5, 0.9])
    assert share.variance(values) == pytest.approx([0.36, 1, 0.36])
    assert share.deviation(values) == pytest.approx(0.1 * np.sqrt(values * (1 - values)))
    assert percent.deviation(100 * values) == pytest.approx(100 * share.deviation(values))
    beyond = np.array([-0.1, 0.0, 1.0, 1.1])
    assert share.variance(beyond) == pytest.approx(np.repeat(share.variance(np.array([0.01])), 4))
    assert share.words == "that of a share of about 100 counted"
    assert NoiseModel("share", 1e-200).words == "that of a share of about 1e+12 counted"
    assert possible("share", values) and not possible("percent", values)
    assert possible("percent", 100 * values) and not possible("share", 100 * values)
    assert not possible("share", values / 2) and not possible("share", values - 0.2)


@pytest.mark.parametrize("whole", [1.0, 100.0])
def test_counted_shares_are_told_from_the_same_noise_everywhere(whole: float) -> None:
    t = np.linspace(-4, 4, 60)
    expected = 1 / (1 + np.exp(-1.6 * t))
    kind = "share" if whole == 1 else "percent"
    told = {True: 0, False: 0}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        for counted in told:
            even = np.clip(expected + 0.03 * rng.normal(size=60), 0, 1)
            y = whole * (rng.binomial(80, expected) / 80 if counted else even)
            fits = {k: Explained(whole * expected, 10.0) for k in KINDS if possible(k, y)}
            found = about(t[:, None], y, fits, NoiseModel("additive", 1.0))
            told[counted] += found is not None and found.kind == kind
            if counted and found is not None:
                assert found.sigma == pytest.approx(1 / np.sqrt(80), rel=0.4)
    assert told[True] >= 9 and told[False] == 0


def test_models_survive_plain_data() -> None:
    model = measure(x[:, None], noisy("relative", 0.1)).model
    assert NoiseModel.from_dict(model.to_dict()).to_dict() == model.to_dict()


def test_a_trend_ignores_rows_that_are_off() -> None:
    y = noisy("additive", 0.1)
    y[[20, 60, 61]] += [15, -30, 25]
    found = trend(x[:, None], y)
    assert np.abs(found.fitted - curve).max() < 0.35
    assert found.predict(x[:, None]) == pytest.approx(found.fitted)


def test_a_trend_of_nothing_is_nearly_a_constant() -> None:
    y = np.random.default_rng(6).normal(size=100)
    assert trend(np.random.default_rng(7).normal(size=(100, 3)), y).terms <= 4


def test_scale_is_that_of_the_residuals() -> None:
    r = np.random.default_rng(8).standard_t(4, 5000)
    assert scale_of(r) == pytest.approx(1.0, rel=0.05)
    assert scale_of(3 * r) == pytest.approx(3 * scale_of(r), rel=1e-3)
    assert scale_of(np.zeros(5)) >= 0


def test_stated_errors_are_not_called_an_upper_bound():
    stated = NoiseModel(
        "stated", 0.3, source="a smooth trend of 1 term, which misses something: an upper bound"
    )
    assert (stated.words, stated.origin) == ("as stated", "")
    assert replace(stated, founded=True).origin == f"from {stated.source}"


def test_noise_that_carries_rows_below_zero_is_a_share_of_a_value_over_decades() -> None:
    rng = np.random.default_rng(0)
    X = 1 + rng.gamma(2.0, 0.4, size=(500, 3))
    law = 10 * X[:, 0] ** 1.7 * X[:, 1] / X[:, 2] ** 2
    y = law * (1 + 0.4 * rng.normal(size=500))
    assert 0 < np.sum(y <= 0) < 10
    measured = measure(X, y)
    assert measured.model.kind == "relative"
    assert measured.model.sigma == pytest.approx(0.4, rel=0.1)
    # a trend of y itself with such weights is off by 0.10
    assert np.std(np.log(np.abs(measured.predict(X) / law))) < 0.08


def test_a_product_of_powers_of_many_columns_shows_its_noise() -> None:
    rng = np.random.default_rng(3)
    X = rng.uniform(1, 5, (400, 16))
    powers = rng.choice([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0], 16)
    y = np.prod(X**powers, axis=1) * (1 + 0.01 * rng.normal(size=400))
    found = measure(X, y).model
    assert (found.kind, found.founded) == ("relative", True)
    assert 0.008 < found.sigma < 0.012


def test_a_factor_is_told_from_a_share_where_it_is_large() -> None:
    rng = np.random.default_rng(9)
    mass = np.exp(rng.uniform(-4, 8, 60))
    model = measure(mass[:, None], 8 * mass**0.75 * np.exp(0.7 * rng.normal(size=60))).model
    assert (model.kind, model.sigma) == (LOG, pytest.approx(0.7, rel=0.25))
    assert "a factor of " in model.words
    share = measure(mass[:, None], 8 * mass**0.75 * (1 + 0.2 * rng.normal(size=60))).model
    assert share.kind == "relative"


def test_rows_weigh_so_that_squares_are_least_where_those_of_logarithms_are() -> None:
    y, at = np.array([1.0, 3.0, 10.0]), np.array([2.0, 3.0, 4.0])
    weights = NoiseModel(LOG, 1.0, middle=3.0).weights(y, at)
    assert weights * (y - at) == pytest.approx(9 * np.log(y / at) / at)


def test_numbers_that_are_no_counts_need_more_to_have_counting_noise() -> None:
    rng = np.random.default_rng(10)
    t = np.linspace(1, 10, 40)
    y = np.maximum(np.round(6 * t + 1.2 * np.sqrt(6 * t) * rng.normal(size=40)), 1)
    fits = {kind: Explained(6 * t, 10.0) for kind in KINDS}
    nats = {kind: likelihood(kind, y, 6 * t)[0] for kind in KINDS}
    short = nats["additive"] - nats["poisson"] - ENOUGH_ABOUT_A_LAW
    fits["additive"] = Explained(6 * t, 10.0 - short + 1.0)  # a nat more than is needed of counts
    fits["relative"] = fits[LOG] = Explained(6 * t, 99.0)
    held = NoiseModel("additive", 1.0)
    found = about(t[:, None], y, fits, held)
    assert found is not None and found.kind == "poisson"
    assert about(t[:, None], y + 0.01, fits, held) is None


def test_whole_numbers_that_scatter_as_counts_do_are_counts_unless_they_have_a_unit() -> None:
    d = np.geomspace(5, 50, 13)
    expected = 61000 / (d + 1.4) ** 2 + 24
    held, told = NoiseModel("additive", 1.0), []
    for seed in range(20):
        y = np.random.default_rng(seed).poisson(expected).astype(float)
        fits = {kind: Explained(expected, 10.0, 3) for kind in KINDS}
        found = [about(d[:, None], y * by, fits if by == 1 else scaled(fits, by), held, unit)
                 for by, unit in ((1, False), (1, True), (7, False))]  # fmt: skip
        told.append([f is not None and f.kind == "poisson" for f in found])
    assert np.sum(told, axis=0)[0] >= 18
    assert np.sum(told, axis=0)[1:].max() <= 10 < np.sum(told, axis=0)[0] - 5, "with a unit they need more"


@pytest.mark.parametrize(("offset", "kind"), [(0.0, "relative"), (20.0, None)])
def test_over_decades_two_nats_are_enough_for_noise_that_grows(offset: float, kind: str | None) -> None:
    t = np.linspace(0, 1, 24)
    values = 100 * np.exp(-4 * t) + offset
    y = values * (1 + 0.05 * np.random.default_rng(2).normal(size=24))
    nats = {k: likelihood(k, y, values)[0] for k in KINDS}
    fits = {k: Explained(values, 99.0) for k in KINDS}
    fits["additive"] = Explained(values, 10.0 + nats["relative"] + 2.0 - nats["additive"])
    fits["relative"] = Explained(values, 10.0)
    found = about(t[:, None], y, fits, NoiseModel("additive", 1.0))
    assert (None if found is None else found.kind) == kind


def test_a_kind_that_cannot_be_stands_in_no_others_way() -> None:
    t = np.linspace(0, 1, 24)
    values = 1000 * np.exp(-3 * t)
    y = values * (1 + 0.1 * np.random.default_rng(4).normal(size=24))
    fits = {k: Explained(values, 10.0) for k in KINDS}
    fits["poisson"] = Explained(1e-9 * values, -1e6)  # few nats, and off by more than the values are
    found = about(t[:, None], y, fits, NoiseModel("additive", 1.0))
    assert found is not None and found.kind == "relative"


def test_whole_numbers_that_scatter_less_than_counts_are_counted_for_less() -> None:
    d = np.linspace(1, 10, 16)
    expected = 8.0 * d**1.3
    rng, gained = np.random.default_rng(3), []
    for size in (1.0, 0.8, 0.6, 0.4):
        left = size * np.sqrt(expected) * rng.permutation(np.tile([1.0, -1.0], 8))
        y = np.round(expected + left)
        scaled_left = likelihood("poisson", y, expected)[1]
        gained.append(noise._counted(y, scaled_left, Explained(expected, 0.0, 2)))
    assert gained[0] > 4.5 and gained == sorted(gained, reverse=True)
    assert gained[2] < 3.5 and gained[3] < 0.5


def scaled(fits: dict[str, Explained], by: float) -> dict[str, Explained]:
    return {kind: replace(law, values=by * law.values) for kind, law in fits.items()}


def test_a_law_that_leaves_far_less_than_a_trend_is_the_better_figure():
    trend_says = NoiseModel("additive", 0.4, source="a smooth trend of 4 terms", founded=True)
    seen = trend_says.seen_by(1e-8)
    assert (seen.words, seen.origin) == ("0.0001, the same everywhere", "from what the law leaves")
    assert trend_says.seen_by(0.1) is trend_says
    repeated = replace(trend_says, source="repeated rows (12 degrees of freedom)")
    assert repeated.seen_by(1e-8) is repeated


def test_what_a_trend_misses_of_waves_is_no_noise_that_grows_with_the_value() -> None:
    growing = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = np.column_stack([rng.uniform(*ends, 100) for ends in ((0.5, 3), (0.1, 4), (0.1, 3))])
        y = X[:, 0] * np.cos(X[:, 1]) ** 2 * (np.sin(X[:, 2]) / X[:, 2]) ** 2
        growing += measure(X, y + 0.02 * y.std() * rng.normal(size=100)).model.kind in KINDS[1:]
    assert growing <= 1  # five of six without a look at halves of the rows


def test_noise_that_grows_stays_told_among_a_hundred_rows() -> None:
    told = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = rng.uniform(1, 5, (100, 3))
        told += (
            measure(
                X, 3 * X[:, 0] ** 1.5 * X[:, 1] / X[:, 2] ** 2 * (1 + 0.1 * rng.normal(size=100))
            ).model.kind
            == "relative"
        )
    assert told == 6
