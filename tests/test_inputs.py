"""Columns become inputs: categories of 0 and 1, days, weekdays and seasons; gaps that cost nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sympy

from kansym import discover
from kansym.base.errors import InputError
from kansym.data.dataset import from_arrays, from_table
from kansym.data.inputs import again
from kansym.data.table import read_table

RNG = np.random.default_rng(0)
X = RNG.uniform(1, 2, 120)


def test_text_with_few_levels_is_a_category_and_names_of_rows_are_not():
    frame = pd.DataFrame(
        {"metal": ["alu", "steel", "brass"] * 40, "run": [f"r{i}" for i in range(120)], "x": X}
    )
    data = from_table(frame.assign(y=X**2))
    assert data.categories == {"metal": ("metal=alu", "metal=brass", "metal=steel")}
    assert data.column("metal=alu").tolist() == [1.0, 0, 0] * 40
    assert any("'metal' is a category of 3 levels: alu, brass, steel" in n for n in data.notes)
    assert any("'run' holds text" in n and "left out" in n for n in data.notes)
    assert not any("none is used" in n for n in data.notes)
    with pytest.raises(InputError, match="Column 'run' holds text"):
        from_table(frame.assign(y=X**2), inputs=["run"])


def test_numbers_are_a_category_when_asked():
    frame = pd.DataFrame({"machine": np.arange(120) % 3, "x": X, "y": X**2})
    assert from_table(frame).categories == {}
    data = from_table(frame, category=["machine"])
    assert data.categories == {"machine": ("machine=0", "machine=1", "machine=2")}
    with pytest.raises(InputError, match="Category 'x' has 120 levels"):
        from_table(frame, category=["x"])
    with pytest.raises(InputError, match="did you mean 'machine'"):
        from_table(frame, category=["machin"])


def test_a_row_without_its_category_is_dropped_and_counted():
    words = ["a", "b", None, "a", "b", "a"] * 20
    y = X**2 + np.array([w == "a" for w in words])
    data = from_table(pd.DataFrame({"kind": words, "x": X, "y": y}))
    assert data.rows == 100 and "20 in 'kind=a'" in " ".join(data.notes)


def days(n):
    return pd.date_range("2022-03-01", periods=n)


def test_weekdays_and_seasons_join_where_they_help_only():
    when = days(500)
    noise = RNG.normal(0, 1, 500)
    plain = from_table(pd.DataFrame({"when": when, "y": noise}))
    assert plain.names == ("when",)
    weekly = from_table(pd.DataFrame({"when": when, "y": noise + 5 * (when.day_of_week > 4)}))
    assert len(weekly.categories["when"]) == 7 and "when=Sunday" in weekly.names
    turn = when.day_of_year.to_numpy() / 365.2425
    yearly = from_table(pd.DataFrame({"when": when, "y": noise + 5 * np.cos(2 * np.pi * turn)}))
    assert "when season" in yearly.names
    assert yearly.column("when season") == pytest.approx(2 * np.pi * (turn - 1 / 365.2425))
    both = pd.DataFrame({"when": when, "day": when.day_name(), "y": noise + 5 * (when.day_of_week > 4)})
    assert set(from_table(both).categories) == {"day"}, "the column says it already"


def test_a_year_is_a_wave_of_its_season():
    when = pd.date_range("2021-01-10", periods=40, freq="30D")
    angle = 2 * np.pi * (when.day_of_year.to_numpy() - 1) / 365.2425
    y = 11.8 + 8.4 * np.sin(angle - 1.7) + 0.8 * np.random.default_rng(3).normal(size=40)
    law = discover(pd.DataFrame({"date": when, "water": y})).best
    wave = law.expression.atoms(sympy.sin).pop()
    assert law.complexity <= 8 and (wave.args[0] - sympy.Symbol("date season", real=True)).is_number


def test_the_rows_of_another_table_are_made_in_the_same_way():
    when = days(200)
    y = 3 * (when.day_of_week > 4) + np.arange(200) / 50
    frame = pd.DataFrame({"when": when, "kind": ["a", "b"] * 100, "x": RNG.uniform(size=200), "y": y})
    data = from_table(frame)
    later = frame.iloc[50:60].reset_index(drop=True)
    assert np.array_equal(again(read_table(later), data.names, data.made), data.X[50:60])
    with pytest.raises(InputError, match="'kind' is 'c' in some row; the law knows a, b only"):
        again(read_table(later.assign(kind="c")), data.names, data.made)
    with pytest.raises(InputError, match="The law needs it"):
        again(read_table(later.drop(columns="when")), data.names, data.made)


def test_what_lies_far_from_zero_is_counted_from_a_number_near_it():
    when = 2459812.4 + 62 * np.sort(RNG.uniform(size=120))
    frame = pd.DataFrame({"JD (d)": when, "year": np.linspace(1990, 2020, 120), "y": np.sin(when)})
    data = from_table(frame)
    assert data.names == ("JD from 2459810", "year"), "six digits tell years apart, and no turns of days"
    assert data.column("JD from 2459810") == pytest.approx(when - 2459810, abs=1e-8)
    assert any("counted from there, as 'JD from 2459810'" in n for n in data.notes)
    assert np.array_equal(again(read_table(frame), data.names, data.made), data.X)
    assert from_table(frame.drop(columns="year").rename(columns={"y": "y (V)"})).units is not None


def test_only_times_are_counted_from_elsewhere_and_never_over_another_column():
    T = 300 + 0.1 * RNG.uniform(size=60)
    frame = pd.DataFrame({"T (K)": T, "t": 5000 + RNG.uniform(size=60), "t from 5000": T - 300, "y": T})
    data = from_table(frame)
    assert data.names == ("T", "t", "t from 5000")
    assert np.array_equal(data.X[:, 2], T - 300)
    assert from_table(frame[["t", "y"]]).names == ("t from 5000",)


@pytest.mark.parametrize("options", [{"guesses": ["a*JD + b"]}, {"template": "a*JD + f(x)"}])
def test_a_column_that_became_another_input_is_no_constant_of_a_formula(options):
    frame = pd.DataFrame(
        {"JD": 2459812.4 + np.arange(30.0), "x": RNG.uniform(size=30), "y": RNG.uniform(size=30)}
    )
    with pytest.raises(InputError, match="'JD' is no input, it was made into 'JD from 2459810': write that"):
        discover(from_table(frame), **options)


def test_gaps_in_columns_that_do_not_matter_cost_no_rows():
    n = 300
    a, b, junk = RNG.uniform(1, 2, (3, n))
    holes = RNG.random((2, n)) < 0.4
    frame = pd.DataFrame(
        {"a": a, "b": np.where(holes[0], np.nan, b), "junk": np.where(holes[1], np.nan, junk)}
    )
    data = from_table(frame.assign(y=a * b))
    assert data.names == ("a", "b") and data.rows == int((~holes[0]).sum())
    assert "column 'junk': left out, gaps in" in data.notes[0]
    assert (
        f"{int(holes[0].sum())} of {n} rows have missing values ({int(holes[0].sum())} in 'b')"
        in data.notes[1]
    )
    same = from_arrays(frame.to_numpy(), a * b, ["a", "b", "junk"])
    assert same.names == ("a", "b")


def test_few_gaps_are_dropped_without_a_question():
    values = X.copy()
    values[:5] = np.nan
    data = from_table(pd.DataFrame({"a": X, "b": values, "y": X**2}))
    assert data.rows == 115 or data.names == ("a",)
    assert len([n for n in data.notes if "missing" in n]) == 1
