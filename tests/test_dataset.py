"""Datasets hold finite columns, split reproducibly and never touch what they came from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kansym.base.errors import InputError
from kansym.data.dataset import SCREEN_ABOVE, from_arrays, from_table
from kansym.data.units import parse
from kansym.functions.library import Library
from kansym.judge.trial import Trial


def linear(rows=20, columns=2, seed=0):
    X = np.random.default_rng(seed).normal(size=(rows, columns))
    return X, X.sum(axis=1)


def test_layout_names_and_hash():
    X, y = linear()
    data = from_arrays(np.asfortranarray(X.astype(np.float32)), y)
    assert data.names == ("x0", "x1") and data.target == "y"
    assert data.X.dtype == np.float64 and data.X.flags.c_contiguous
    assert data.hash == from_arrays(X.astype(np.float32), y).hash
    assert data.hash != from_arrays(X.astype(np.float32), y, names=["a", "b"]).hash
    assert data.hash != from_arrays(X.astype(np.float32), y, weights=np.ones(20)).hash
    assert data.column("x1") is not None and np.array_equal(data.column("y"), y)


def test_nothing_of_the_callers_is_changed():
    X, y = linear()
    X[3, 0] = np.nan
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(y=y)
    before, X0, y0 = frame.copy(deep=True), X.copy(), y.copy()
    data = from_table(frame)
    data.X[:] = 0
    from_arrays(X, y).X[:] = 0
    pd.testing.assert_frame_equal(frame, before)
    assert np.array_equal(X, X0, equal_nan=True) and np.array_equal(y, y0)


@given(st.integers(2, 60), st.floats(0.01, 0.99), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_split_is_a_partition(rows, fraction, seed):
    X = np.arange(rows + 4.0)[:, None]
    train, held = from_arrays(X, X[:, 0] ** 2).split(fraction, seed)
    assert train.rows and held.rows
    assert sorted([*train.X[:, 0], *held.X[:, 0]]) == X[:, 0].tolist()
    again, _ = from_arrays(X, X[:, 0] ** 2).split(fraction, seed)
    assert np.array_equal(again.X, train.X)


def test_split_by_group_keeps_groups_whole():
    X, y = linear(60)
    groups = np.repeat(list("abcdef"), 10)
    data = from_arrays(X, y, groups=groups)
    train, held = data.split(0.3, seed=1)
    assert not set(train.groups) & set(held.groups)
    assert 10 <= held.rows <= 30
    with pytest.raises(InputError, match="group a; holding out a group needs two"):
        from_arrays(X, y, groups=["a"] * 60)
    with pytest.raises(InputError, match="needs two groups"):
        data.take(np.arange(10)).split()


def test_subsample_and_select():
    X, y = linear(50, 3)
    data = from_arrays(X, y, names=["a", "b", "c"])
    small = data.subsample(10, seed=1)
    assert small.rows == 10 and np.array_equal(small.X, data.subsample(10, seed=1).X)
    assert data.subsample(50) is data
    picked = data.select(["c", "a"])
    assert picked.names == ("c", "a") and picked.columns == (2, 0)
    assert np.array_equal(picked.X, X[:, [2, 0]])
    with pytest.raises(InputError, match="No input is named 'z'"):
        data.select(["z"])


def test_sigma_becomes_weights():
    X, y = linear()
    data = from_arrays(X, y, sigma=np.full(20, 0.5))
    assert data.absolute and np.allclose(data.weights, 4.0)
    assert not from_arrays(X, y, weights=np.ones(20)).absolute
    both = from_arrays(X, y + 100, sigma=np.ones(20), relative_error=0.01)
    assert np.allclose(both.weights, 1 / (1 + (0.01 * (y + 100)) ** 2))
    with pytest.raises(InputError, match="every sigma must be above zero"):
        from_arrays(X, y, sigma=np.zeros(20))
    with pytest.raises(InputError, match="is negative"):
        from_arrays(X, y, weights=-np.ones(20))
    with pytest.raises(InputError, match="give one of them"):
        from_arrays(X, y, weights=np.ones(20), sigma=np.ones(20))
    with pytest.raises(InputError, match="not above zero"):
        from_arrays(X, y, relative_error=-1.0)
    with pytest.raises(InputError, match="target of 0"):
        from_arrays(X, np.r_[0.0, y[1:]], relative_error=0.1)


def test_sigma_is_turned_into_the_targets_unit():
    frame = pd.DataFrame({"x": [1.0, 2, 3], "y [MJy/sr]": [1.0, 2, 4], "s [kJy/sr]": [10.0, 20, 10]})
    data = from_table(frame, target="y", sigma="s")
    assert np.allclose(data.weights, 1 / np.array([0.01, 0.02, 0.01]) ** 2)
    assert any("turned from kJy/sr into MJy/sr" in n for n in data.notes)
    with pytest.raises(InputError, match="one kind of unit"):
        from_table(frame.rename(columns={"s [kJy/sr]": "s [m]"}), target="y", sigma="s")


def test_units_need_all_columns():
    frame = pd.DataFrame({"d [m]": [1.0, 2, 3, 4], "t [s]": [1.0, 3, 4, 9], "v": [1.0, 2, 4, 5]})
    data = from_table(frame)
    assert data.units is None and "those of 'v' are not" in data.notes[-1]
    data = from_table(frame, units={"v": "m/s"})
    assert data.units == {"d": parse("m").exponents, "t": parse("s").exponents, "v": parse("m/s").exponents}


def test_screening_keeps_what_tells():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 300))
    data = from_arrays(X, 3 * X[:, 17] + X[:, 250] ** 2)
    assert len(data.names) == 300
    screened = data.screened()
    assert len(screened.names) == SCREEN_ABOVE
    assert {"x17", "x250"} <= set(screened.names)
    assert np.array_equal(screened.column("x250"), X[:, 250])
    assert screened.columns == tuple(int(n[1:]) for n in screened.names)
    assert "300 inputs screened" in screened.notes[-1]
    assert from_arrays(X[:, :3], X[:, 0]).screened().names == ("x0", "x1", "x2")


def test_screening_sees_no_row_that_is_held_out_afterwards():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 60)), rng.normal(size=300)
    held = Trial.of(from_arrays(X, y), Library.load("default"), seed=3).heldout
    assert held is not None
    rows = np.isin(y, held.y)
    assert rows.sum() == len(held.y) == 60
    y = np.where(rows, 100 * X[:, 50], X[:, 7])  # in rows held out, another column is what tells
    assert from_arrays(X, y).screened(limit=1, seed=3).names == ("x7",)


def test_shapes_are_checked():
    X, y = linear()
    for bad_X, bad_y, message in [
        (X, y[:5], "one value per row"),
        (X[None], y, "rows by columns"),
        (X[:, :0], y, "rows by columns"),
        (X + 0j, y, "complex"),
        ([["a", "b"]] * 20, y, "no numbers"),
    ]:
        with pytest.raises(InputError, match=message):
            from_arrays(bad_X, bad_y)
    for kwargs, message in [
        ({"names": ["a"]}, "1 names are given for 2"),
        ({"names": ["a", "a"]}, "Two inputs are named 'a'"),
        ({"weights": [1.0]}, "one value for each"),
        ({"groups": [1]}, "one value for each"),
    ]:
        with pytest.raises(InputError, match=message):
            from_arrays(X, y, **kwargs)
    assert from_arrays(X[:, 0], y).names == ("x0",)
    assert from_arrays(X, y, names=["y", "b"]).target == "y_"
    assert from_arrays(X, pd.Series(y, name="speed")).target == "speed"


def test_an_input_that_repeats_another_goes_unless_it_is_asked_for():
    a, b = np.random.default_rng(0).normal(size=(2, 50))
    X = np.column_stack([a, b, -2.5 * a, b + 1e-6 * a, a + 1])
    data = from_arrays(X, a + b, names=["a", "b", "twin", "near", "shifted"])
    assert data.distinct().names == ("a", "b", "near", "shifted")
    assert data.distinct().notes[-1] == "twin is -2.5*a: a law is looked for in the latter"
    assert data.distinct(keep={"twin"}) is data
    assert data.distinct().columns == (0, 1, 3, 4)
    units = {"a": "m", "b": "m", "c": "s", "d": "m", "e": "m", "y": "m"}
    united = from_arrays(X, a + b, names=list("abcde"), target="y", units=units)
    assert united.units is not None and united.distinct() is united, "another unit may make another law"


def test_screening_keeps_what_is_asked_for():
    X = np.random.default_rng(0).normal(size=(200, 60))
    data = from_arrays(X, X[:, 3])
    assert (
        "x59" in data.screened(keep={"x59"}).names and len(data.screened(keep={"x59"}).names) == SCREEN_ABOVE
    )
