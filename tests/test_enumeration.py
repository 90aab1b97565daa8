"""Enumeration: the pool holds what it says, joins find short laws, noise leaves the linear routes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import sympy

from kansym.base.budget import Budget
from kansym.data.dataset import from_arrays
from kansym.functions.library import Library, get
from kansym.functions.parsing import parse_expression, symbols
from kansym.search.enumeration import joins, pool
from kansym.search.enumeration.search import CONSTANTS, few, propose

NGUYEN = Path(__file__).parents[1] / "scripts" / "problems" / "nguyen.csv"


def table(law, names, low, high, rows, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(low, high, (rows, len(names)))
    y = sympy.lambdify(symbols(names), parse_expression(law, names))(*X.T)
    return from_arrays(X, y + noise * np.std(y) * rng.normal(size=rows), names)


def right(candidate, law, names, low, high):
    """Tell whether the candidate is the law on a wider range than it was found on."""
    low, high = np.array(low, float), np.array(high, float)
    wide = 0.125 * (high - low)
    X = np.random.default_rng(9).uniform(low - wide, high + wide, (300, len(names)))
    with np.errstate(all="ignore"):
        truth = sympy.lambdify(symbols(names), parse_expression(law, names))(*X.T)
        found = sympy.lambdify(symbols(names), candidate.expression)(*X.T)
    fine = np.isfinite(truth)
    return np.allclose(found[fine], truth[fine], rtol=1e-7, atol=1e-9)


PROBLEMS = list(csv.DictReader(NGUYEN.read_text().splitlines()))


@pytest.mark.parametrize("row", PROBLEMS, ids=lambda r: r["name"])
def test_all_of_nguyen(row):
    names = row["variables"].split(";")
    low, high = ([float(v) for v in row[k].split(";")] for k in ("low", "high"))
    first = next(propose(table(row["expression"], names, low, high, int(row["rows"])), budget=Budget()))
    assert first.source == "enumeration" and first.score < 1e-18
    assert right(first, row["expression"], names, low, high), first.expression


@pytest.mark.parametrize(
    "law",
    [
        "h*w/(exp(h*w/(2*pi*k)) - 1)",
        "exp(-((a - b)/c)**2/2)/c",
        "a + b + 2*sqrt(a*b)*cos(c)",
        "x*exp(-x)*sin(x)",
        "sin(x)**2/x",
        "(a + b*c)/(1 + a)",
        "exp(sin(pi*x) + y**2)",
        "log(1 + x*exp(-y))",
        "sqrt(a**2 + b**2 - 2*a*b*cos(c - d))",
        "asin(a*sin(b))",
        "a*(cos(b*c) + d*cos(b*c)**2)",
        "1.234*sin(x)/x + 0.37",
        "0.3*sin(x*y) + 1.7*exp(-x)",
    ],
)
def test_compositions(law):
    names = sorted({str(s) for s in sympy.sympify(law).free_symbols})
    low, high = (0.2, 0.9) if law.startswith("asin") else (0.5, 3)
    data = table(law, names, [low] * len(names), [high] * len(names), 300)
    first = next(propose(data, budget=Budget()))
    assert right(first, law, names, [low] * len(names), [high] * len(names)), first.expression


def test_units_of_columns_and_target_do_not_matter_to_products():
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 3, (200, 3))
    y = 3e-7 * X[:, 0] * np.sqrt(X[:, 1] / X[:, 2])
    first = next(propose(from_arrays(X * np.array([1e-34, 1e6, 1e20]), y, ["a", "b", "c"]), budget=Budget()))
    assert first.score < 1e-18


@pytest.mark.parametrize(("law", "noise"), [("sin(x)/x", 0.1), ("y*sin(x) + exp(-x)", 0.02)])
def test_noise_leaves_the_linear_routes(law, noise):
    names = sorted({str(s) for s in sympy.sympify(law).free_symbols})
    data = table(law, names, [0.5] * len(names), [5] * len(names), 400, noise)
    found = list(propose(data, budget=Budget()))
    X = np.random.default_rng(2).uniform(0.5, 5, (200, len(names)))
    truth = sympy.lambdify(symbols(names), parse_expression(law, names))(*X.T)
    errors = [np.std(sympy.lambdify(symbols(names), c.expression)(*X.T) - truth) for c in found]
    assert min(errors[:3]) < 0.3 * noise * np.std(truth)
    assert found[0].score < 3 * noise**2


@pytest.mark.parametrize("law", ["x*sin(y*z) + w", "(x*w - y*z)**3"])
def test_thirty_exact_rows_are_enough(law):
    data = table(law, ["x", "y", "z", "w"], [0.5] * 4, [2.5] * 4, 30)
    assert right(next(few(data, budget=Budget())), law, ["x", "y", "z", "w"], [0.5] * 4, [2.5] * 4)


@pytest.mark.parametrize(
    ("law", "names", "rows"),
    [
        ("exp(-(x - y)**2)*cos(3*z)", "xyz", 100),
        ("sin(x**2)*cos(x) - 1", "x", 20),
        ("sin(x) + sin(x + x**2)", "x", 20),
    ],
)
def test_exact_compositions_are_told_where_rows_look_like_noise(law, names, rows):
    low, high = [-1.5] * len(names), [1.5] * len(names)
    found = list(few(table(law, list(names), low, high, rows), budget=Budget()))
    assert right(found[0], law, list(names), low, high)


@pytest.mark.parametrize(("rows", "columns"), [(61, 3), (40, 1)])
def test_of_more_rows_or_one_column_nothing_is_offered_that_only_comes_near(rows, columns):
    rng = np.random.default_rng(1)
    data = from_arrays(rng.uniform(1, 2, (rows, columns)), rng.normal(size=rows))
    budget = Budget()
    assert not list(few(data, budget=budget)) and budget.used < 15


@pytest.mark.parametrize("law", ["x*y", "x*y/(x + y)", "x*log(x/y)", "sqrt(x**2 + y**2)", "x*(1 + y)**0.5"])
def test_few_rows_of_noise_give_what_comes_nearest(law):
    found = list(few(table(law, ["x", "y"], [1, 1], [3, 3], 20, noise=0.01), budget=Budget()))
    assert 0 < len(found) <= 12 and all(0 < c.score < 1e-3 for c in found[:3])
    X = np.random.default_rng(2).uniform(1, 3, (200, 2))
    truth = sympy.lambdify(symbols(["x", "y"]), parse_expression(law, ["x", "y"]))(*X.T)
    errors = [np.std(sympy.lambdify(symbols(["x", "y"]), c.expression)(*X.T) - truth) for c in found]
    assert min(errors) < 0.02 * np.std(truth)


def test_nothing_is_claimed_where_there_is_no_law():
    rng = np.random.default_rng(5)
    data = from_arrays(rng.normal(size=(200, 2)), rng.normal(size=200), ["x", "y"])
    assert all(c.score > 0.5 for c in propose(data, budget=Budget()))


def test_repeatable_and_bounded_by_work():
    data = table("tan(x*exp(sin(3*x)))", ["x"], [0], [1], 100)
    a, b = (list(propose(data, seed=3, budget=Budget())) for _ in range(2))
    assert [c.expression for c in a] == [c.expression for c in b]
    budget = Budget(work=25)
    list(propose(data, budget=budget))
    assert 25 <= budget.used < 200


def test_only_functions_of_the_library_are_used():
    data = table("sin(x)*x", ["x"], [0], [3], 60)
    for c in propose(data, library=Library.load("polynomial"), budget=Budget(work=60)):
        assert not c.expression.has(sympy.sin, sympy.exp, sympy.log, sympy.asin, sympy.atan)
        assert all(p.exp.is_integer for p in c.expression.atoms(sympy.Pow))


def test_a_persons_own_function_is_used():
    library = Library.load("polynomial").add("bump", "x*exp(-x**2)")
    data = table("a*a*b*exp(-a*a*b*b)", ["a", "b"], [0.5, 0.5], [2, 2], 100)
    first = next(propose(data, library=library, budget=Budget()))
    assert right(first, "a*a*b*exp(-a*a*b*b)", ["a", "b"], [0.5, 0.5], [2, 2])


def test_the_pool_holds_distinct_values_of_its_expressions():
    X = np.random.default_rng(0).uniform(1, 3, (12, 2))
    names = symbols(["x", "y"])
    unary = [get(n) for n in ("x^2", "exp", "sin", "1/x")]
    entries = pool.build(X, names, unary, 5000, CONSTANTS)
    assert len(entries) == 5000
    sizes = entries.complexity()
    assert np.all(np.diff(sizes) >= 0) and sizes[0] == 1
    for i in range(0, 5000, 97):
        value = sympy.lambdify(names, entries.expression(i))(*X.T)
        assert np.allclose(value, entries.V[i], rtol=1e-10)
    short = {entries.expression(i) for i in range(300)}
    x, y = names
    assert {x + y, x * y, sympy.sin(x), 1 / x, x**2, 2 * x} <= short
    # equal values are one entry: x*y - y*x and the like are gone, (x**2)/x is x
    rounded = {tuple(np.round(v, 9)) for v in entries.V}
    assert len(rounded) > 4990


def test_columns_that_do_not_matter_are_left_out_first():
    data = table("x*sin(n*t)^2/sin(t)^2".replace("^", "**"), ["x", "n", "t", "d1", "d2"], 1.0, 2.9, 500)
    found = next(propose(data, budget=Budget(seconds=100)))
    assert not {s.name for s in found.expression.free_symbols} & {"d1", "d2"}


def test_joins_that_hold_by_their_largest_values_alone_are_not_written_down(monkeypatch):
    x = np.linspace(1, 15, 15)
    y = 700 / (1 + 80 * np.exp(-0.7 * x)) + np.random.default_rng(0).normal(0, 10, 15)
    written, expression = [], joins.Join.expression
    monkeypatch.setattr(joins.Join, "expression", lambda *a: written.append(a) or expression(*a))
    assert not list(few(from_arrays(x[:, None], y, ["x"]), budget=Budget()))
    assert not written
