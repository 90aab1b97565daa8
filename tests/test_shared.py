"""One law with constants of its own for every category."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sympy

from kansym.base.budget import Budget
from kansym.base.errors import InputError
from kansym.data.dataset import from_arrays, from_table
from kansym.estimators.regressor import KansymRegressor
from kansym.formula.polish import polish
from kansym.functions.library import Library
from kansym.functions.parsing import symbols
from kansym.judge.scorer import price
from kansym.judge.trial import Trial
from kansym.pipeline.flow import discover
from kansym.search.assumptions import shared
from kansym.search.candidate import Candidate

rng = np.random.default_rng(1)
AMPLITUDE = {"A": 2.0, "B": 3.7, "C": 0.6}
T = rng.uniform(0, 3, 150)
KIND = rng.choice(list(AMPLITUDE), 150)
Y = np.array([AMPLITUDE[k] for k in KIND]) * np.exp(-0.8 * T) + 1.5
TABLE = pd.DataFrame({"t": T, "kind": pd.Categorical(KIND)})


def check(expression, tolerance):
    t = next(s for s in expression.free_symbols if s.name == "t")
    for kind, amplitude in AMPLITUDE.items():
        marks = {s: int(s.name == f"kind={kind}") for s in expression.free_symbols if s is not t}
        law = expression.subs(marks)
        for point in (0.5, 2.0):
            truth = amplitude * np.exp(-0.8 * point) + 1.5
            assert float(law.subs(t, point)) == pytest.approx(truth, abs=tolerance)


def test_amplitudes_differ_and_the_rest_is_shared():
    model = KansymRegressor(category_constants=True).fit(TABLE, Y)
    assert model.run_.best.source == "constants per category" and model.run_.best.exact
    check(model.sympy(), 1e-9)
    expected = {sympy.Symbol(n, real=True) for n in ("t", "kind=A", "kind=B", "kind=C")}
    assert model.sympy().free_symbols == expected
    np.testing.assert_allclose(model.predict(TABLE), Y)


def test_with_noise_and_the_category_given_apart():
    y = Y + 0.01 * rng.normal(size=150)
    model = KansymRegressor(category_constants=True, model_selection="description")
    model.fit(TABLE[["t"]], y, category=KIND)
    law = model.sympy()
    names = {s: sympy.Symbol(s.name.replace("category", "kind"), real=True) for s in law.free_symbols}
    check(law.xreplace(names), 0.03)


def test_cells_of_few_rows_show_the_form_together():
    # five trees measured seven times each
    age = np.tile([118.0, 484, 664, 1004, 1231, 1372, 1582], 5)
    tree = np.repeat([f"T{k}" for k in range(5)], 7)
    slope = np.repeat([0.05, 0.09, 0.05, 0.09, 0.05], 7)
    table = pd.DataFrame({"age": age, "tree": tree, "girth": slope * age + 20 + 0.5 * rng.normal(size=35)})
    run = discover(table, target="girth", seed=0)
    assert run.best.source == "constants per category"
    assert run.best.loss < 0.5
    assert {s.name for s in run.best.expression.free_symbols} == {"age", "tree=T1", "tree=T3"}


def test_it_needs_one_categorical_column():
    with pytest.raises(InputError, match="exactly one categorical column, and there are 0"):
        KansymRegressor(category_constants=True).fit(TABLE[["t"]], Y)
    with pytest.raises(InputError, match="there are 2"):
        KansymRegressor(category_constants=True).fit(TABLE, Y, category=KIND)


def test_seven_rows_of_each_level_show_an_enzymes_curve():
    S = np.tile([1.0, 2, 4, 8, 16, 32, 64], 2)
    strain = np.repeat(["wild", "mutant"], 7)
    rate = 85 * S / (np.where(strain == "wild", 9, 30) + S) + np.random.default_rng(2).normal(size=14)
    run = discover(pd.DataFrame({"S": S, "strain": strain, "rate": np.round(rate, 1)}), target="rate", seed=0)
    assert run.best.source == "constants per category"
    assert run.best.loss < 2.5, run.best.equation


def test_rates_that_differ_show_in_the_level_that_changes_most():
    days, rate = np.tile([0, 2, 4, 7, 10, 14, 21.0], 3), np.repeat([0.02, 0.08, 0.19], 7)
    noise = 1 + 0.05 * np.random.default_rng(23).normal(size=21)
    table = pd.DataFrame({"soil": np.repeat(["a", "b", "c"], 7), "days": days})
    run = discover(table.assign(residue=100 * np.exp(-rate * days) * noise))
    form = run.best.expression
    (decay,) = form.atoms(sympy.exp)
    assert sympy.Symbol("days", real=True) in decay.free_symbols and len(decay.free_symbols) == 4
    assert len(run.best.constants) == 4


def test_each_level_has_numbers_of_its_own_with_errors():
    mass, kind = np.tile(np.geomspace(0.01, 500, 12), 3), np.repeat(["bird", "mammal", "reptile"], 12)
    factor = {"bird": 4.6, "mammal": 3.4, "reptile": 0.55}
    power = np.where(kind == "reptile", 0.85, 0.72)
    noise = np.exp(0.05 * np.random.default_rng(4).normal(size=36))
    rate = np.array([factor[k] for k in kind]) * mass**power * noise
    run = discover(pd.DataFrame({"class": kind, "mass": mass, "rate": rate}), noise="relative")
    law, marks = run.best, {f"class={k}": k for k in factor}
    shown = law.expression.subs(
        {s: int(s.name == "class=reptile") for s in law.expression.free_symbols if s.name in marks}
    )
    (exponent,) = [p.exp for p in shown.atoms(sympy.Pow) if p.base.free_symbols]
    known = [c for c in law.constants if c.value == pytest.approx(float(exponent))]
    assert float(exponent) == pytest.approx(0.85, abs=0.02) and known and 0 < known[0].stderr < 0.02
    assert list(run.by_level) == ["class bird", "class mammal", "class reptile"]
    assert run.by_level["class reptile"].startswith("0.5") and "class" not in run.by_level["class bird"]


def test_few_rows_a_level_show_the_form_that_people_write():
    minutes, cup = np.tile([0, 3, 6, 10, 15, 20, 30, 45.0], 2), np.repeat(["lid", "none"], 8)
    rate = np.where(cup == "lid", 0.021, 0.048)
    noise = 0.4 * np.random.default_rng(51).normal(size=16)
    heat = np.round(21 + 64 * np.exp(-rate * minutes) + noise, 1)
    run = discover(pd.DataFrame({"cup": cup, "minutes": minutes, "heat": heat}))
    assert run.best.expression.has(sympy.exp) and run.best.loss < 0.3, run.best.equation
    assert len(run.best.constants) == 4


def test_a_round_difference_between_levels_is_a_measured_number():
    kind, x = np.repeat(["a", "b"], 8), np.tile(np.arange(1.0, 9), 2)
    y = np.where(kind == "a", 3.56, 0.56) * x + 0.05 * np.random.default_rng(7).normal(size=16)
    data = from_table(pd.DataFrame({"kind": kind, "x": x, "y": y}))
    trial = Trial.of(data, Library.load("default"), 0)
    texts = ("x*(3.56 - 3*b)", "x*(3.56 - 3.01*b)")
    names = {
        "x": trial.train.symbols[data.names.index("x")],
        "b": trial.train.symbols[data.names.index("kind=b")],
    }
    round_one, measured = (price(polish(sympy.sympify(t, locals=names), trial.train), trial) for t in texts)
    assert round_one > measured - 1.5


@pytest.mark.parametrize(("bent", "searched"), [(0.0, 1), (0.8, 2)])
def test_a_second_cell_is_searched_where_the_form_of_the_first_leaves_something(bent, searched, monkeypatch):
    draw = np.random.default_rng(2)
    parts = []
    for k, factor in enumerate((2.0, 3.0)):
        x = np.sort(draw.uniform(0, 4, 80))
        y = factor * x + 1 + (bent * np.sin(2 * x) if k else 0) + 0.05 * draw.normal(size=80)
        parts.append(from_arrays(x, y, ["x"]))
    asked = []

    def propose(producer, dataset, *given):
        asked.append(dataset.y[0])
        x = symbols(["x"])[0]
        return iter([Candidate(0.0, "linear", sympy.Float(2.0) * x + sympy.Float(1.0))])

    monkeypatch.setattr(shared.Producer, "propose", propose)
    shared._forms(parts, Budget(), Library.load("default"), 0)
    assert len(set(asked)) == searched


def test_what_is_not_offered_any_more_is_not_written(monkeypatch):
    written = []
    text = shared.expressions.text
    monkeypatch.setattr(shared.expressions, "text", lambda e, n: written.append(e) or text(e, n))
    wholes = [
        shared.Whole({}, SimpleNamespace(expression=symbols(["x"])[0] + k), 0.1, float(k)) for k in range(30)
    ]
    monkeypatch.setattr(shared, "_forms", lambda *given: [sympy.Float(1.0)])
    monkeypatch.setattr(shared._Search, "apart", lambda *given: 0.0)
    monkeypatch.setattr(shared._Search, "steps", lambda *given: wholes)
    data = from_table(TABLE.assign(y=Y), target="y")
    levels = {"kind": ("kind=A", "kind=B", "kind=C")}
    found = list(shared.propose(data, categories=levels, budget=Budget(), library=Library.load("default")))
    assert len(found) == len(written) == shared.OFFERED
