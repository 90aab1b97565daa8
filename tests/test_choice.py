"""Rows left out are predicted by what would be chosen without them."""

from dataclasses import replace

import numpy as np
import pytest

from kansym import discover
from kansym.data.dataset import from_arrays
from kansym.formula.polish import polish
from kansym.functions.library import Library
from kansym.functions.parsing import parse_expression
from kansym.judge import choice
from kansym.judge.scorer import judge
from kansym.judge.trial import Trial

X = np.linspace(1, 4, 8)[:, None]
Y = 2 * X[:, 0] ** 1.4 + 0.3 * np.random.default_rng(2).normal(size=8)
TRIAL = Trial.of(from_arrays(X, Y, ["x"]), Library.load("default"), 0)


def judged(text):
    fitted = polish(parse_expression(text, ["x"]), TRIAL.train)
    return judge(fitted, fitted, TRIAL, "test")


def test_alone_it_is_the_mean_square_of_rows_left_out():
    law = judged("2.0*x**1.5")
    assert choice.heldout(law, [law], TRIAL) == pytest.approx(law.heldout)


def test_another_choice_without_a_row_counts():
    law, line = judged("2.0*x**1.5"), judged("4.0*x - 2.5")
    near = replace(line, length=law.length + 1e-6)
    both = choice.heldout(law, [near], TRIAL)
    # by hand: without each row the two fitted anew
    off = []
    for i in range(8):
        rows = TRIAL.rows_of(TRIAL.dataset.take(np.delete(np.arange(8), i)))
        fits = [polish(m.expression, rows) for m in (law, near)]
        gain = [
            m.length - 4 * np.log(m.loss) + 3.5 * np.log(f.loss)
            for m, f in zip((law, near), fits, strict=True)
        ]
        best = fits[int(np.argmin(gain))]
        off.append(best.program.value(X[i : i + 1], best.theta)[0] - Y[i])
    assert both == pytest.approx(np.mean(np.square(off)), rel=0.3)
    assert both != pytest.approx(law.heldout, rel=1e-3)


def test_a_fit_that_one_row_decides_is_not_chosen_without_it(monkeypatch):
    law, rival = judged("2.0*x**1.5"), judged("4.0*x - 2.5")
    usual = choice.leverages

    def decided(polished, rows):
        found, rank = usual(polished, rows)
        return (
            (np.where(np.arange(8) == 3, 0.9999, found), rank)
            if polished is rival.polished
            else (found, rank)
        )

    monkeypatch.setattr(choice, "leverages", decided)
    # squares of rows cannot fall below zero: the hat matrix says nothing of such a row
    assert choice.heldout(law, [replace(rival, length=law.length + 5)], TRIAL) < 2 * law.heldout


def test_where_one_row_decides_an_exact_number_the_law_is_fitted_without_it():
    f = np.concatenate([np.arange(1, 1.8, 0.1), np.arange(1.8, 2.4, 0.05), np.arange(2.4, 3.3, 0.1)])
    rng = np.random.default_rng(15)
    amplitude = 14 / np.sqrt((2.07**2 - f**2) ** 2 + (0.33 * f) ** 2) * (1 + 0.03 * rng.normal(size=f.size))
    run = discover(f[:, None], np.round(amplitude, 2), names=["f"])
    # eight numbers, three of them measured: linearised, a row at the peak was 900 off
    assert run.best.family == "resonance" and run.best.heldout_loss < 10 * run.best.loss
    assert "do not rely" not in run.trust
