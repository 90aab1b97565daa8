"""Columns whose names say that they hold the errors of the one beside them."""

import numpy as np
import pandas as pd
import pytest

from kansym.base.errors import InputError
from kansym.data.dataset import from_table
from kansym.data.stated import errors, says
from kansym.data.table import read_table
from kansym.studio.question import Question


def frame(*names, size=0.1):
    grid = np.arange(1.0, 9.0)
    columns = [grid, 3 * grid + 1, np.full(8, size) + 0.001 * grid, np.full(8, 0.01)]
    return pd.DataFrame(dict(zip(names, columns, strict=False)))


@pytest.mark.parametrize(
    "name", ["yerr", "y_err", "sigma_y", "error", "SD", "std error", "uncertainty", "R err"]
)
def test_a_last_column_that_plainly_states_errors_is_no_target(name):
    data = from_table(frame("t", "R", name))
    assert (data.target, data.names, data.absolute) == ("R", ("t",), True)
    assert np.allclose(data.weights, 1 / (0.1 + 0.001 * np.arange(1.0, 9.0)) ** 2)
    assert any(name in note and "measurement errors of 'R'" in note for note in data.notes)


@pytest.mark.parametrize("name", ["sigma", "Se", "relative error", "t_err", "voltage", "residual"])
def test_what_may_be_a_quantity_stays_one(name):
    data = from_table(frame("t", "R", name))
    assert data.target == name and data.weights is None


def test_errors_larger_than_the_spread_or_of_both_signs_are_none():
    assert from_table(frame("t", "R", "error", size=100)).target == "error"
    signed = frame("t", "R", "error")
    signed["error"] -= 0.104
    assert from_table(signed).target == "error"


def test_a_table_keeps_an_input():
    assert from_table(frame("n", "error").assign(error=0.1 / np.arange(1, 9))).target == "error"


def test_errors_of_inputs_are_left_out_and_that_is_said():
    whole = frame("t", "R", "R_err")
    whole.insert(1, "t_err", 0.01)
    data = from_table(whole)
    assert (data.names, data.target) == (("t",), "R")
    assert any("'t_err'" in note and "left out" in note for note in data.notes)


def test_a_person_decides_otherwise():
    whole = frame("t", "R", "yerr")
    assert from_table(whole, target="yerr").target == "yerr"
    assert from_table(whole, target="R", inputs=["t"]).weights is None
    assert from_table(whole, inputs=["t", "yerr"], target="R").names == ("t", "yerr")
    assert from_table(whole.assign(spare=0.2), target="R", sigma="spare").names == ("t", "yerr")


@pytest.mark.parametrize("wrong", [0.0, -0.1])
def test_an_error_that_is_none_is_said_and_its_column_neither_target_nor_input(wrong):
    whole = frame("t", "R", "R_err")
    whole.loc[2, "R_err"] = wrong
    for target in (None, "R"):
        data = from_table(whole, target=target)
        assert (data.target, data.names, data.weights) == ("R", ("t",), None)
        (note,) = [n for n in data.notes if "R_err" in n]
        assert f"row 3 holds {wrong:g}" in note and "empty it" in note
    with pytest.raises(InputError, match=f"'R_err': row 3 holds {wrong:g}, .* empty it to drop the row"):
        from_table(whole, target="R", sigma="R_err")
    assert from_table(whole, target="R_err").target == "R_err"
    parts = Question.about(read_table(whole), ["t", "R", "R_err"], ()).parts
    assert parts == {"t": "input", "R": "target", "R_err": "unused"}


def test_the_window_suggests_the_same():
    table = read_table(frame("t", "R", "yerr"))
    assert errors(table) == {"yerr": "R"}
    parts = Question.about(table, table.names, ()).parts
    assert parts == {"t": "input", "R": "target", "yerr": "sigma"}


def test_a_unit_of_another_kind_speaks_against_it():
    whole = frame("t (s)", "R (m)", "error (kg)")
    assert from_table(whole).target == "error"
    assert says("error", "R")
