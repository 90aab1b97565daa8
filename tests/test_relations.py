"""Relations of a table: the paper's six columns, noise, implicit forms, and what is refused."""

import json

import numpy as np
import pytest

from kansym.base.errors import InputError
from kansym.pipeline.dependence import Survey
from kansym.pipeline.relations import relations

RNG = np.random.default_rng


def test_planets_like_columns_give_one_relation():
    rng = RNG(0)
    a, b, c = rng.uniform(0.5, 2, (3, 400))
    found = relations(np.column_stack([a, b, a * b / 2, c]), ["a", "b", "product", "c"])
    assert [r.equation for r in found] in (["product = a*b/2"], ["a = 2*product/b"], ["b = 2*product/a"])
    assert found.relations[0].exact
    assert found.independent == ("c",)


def test_a_consequence_is_named_and_not_kept():
    a = RNG(1).uniform(0.5, 2, 300)
    found = relations(np.column_stack([a, a**3, 2 * a**3 + 1]), ["a", "b", "c"])
    assert len(found) == 2
    assert len(found.consequences) == 1
    assert found.independent == ()


def test_independent_columns_are_declared_and_nothing_is_invented():
    found = relations(RNG(2).normal(size=(400, 4)))
    assert len(found) == 0
    assert found.independent == ("x0", "x1", "x2", "x3")
    assert found.trends == ()


def test_noise_is_not_fitted():
    rng = RNG(3)
    a, b = rng.uniform(0.5, 2, (2, 500))
    y = a**2 + b
    found = relations(np.column_stack([a, b, y + 0.01 * y.std() * rng.normal(size=500)]), ["a", "b", "y"])
    assert [r.equation for r in found] == ["y = a**2 + b"]
    assert not found.relations[0].exact
    assert found.relations[0].share == pytest.approx(0.01, rel=0.3)


def test_the_same_table_gives_the_same_answer():
    rng = RNG(4)
    a, b = rng.uniform(0.5, 2, (2, 200))
    table = np.column_stack([a, b, np.tanh(a * b)])
    first, second = relations(table), relations(table)
    assert [r.equation for r in first] == [r.equation for r in second] != []


@pytest.mark.parametrize(
    "table, options, word",
    [
        (np.zeros((100, 3)), {}, "vary enough"),
        (np.ones(100), {}, "shape"),
        (RNG(0).normal(size=(20, 3)), {}, "20 complete rows cannot distinguish"),
        (RNG(0).normal(size=(100, 3)), {"tolerance": 2}, "tolerance"),
        (RNG(0).normal(size=(100, 3)), {"tolerence": 0.1}, "not known"),
        (RNG(0).normal(size=(100, 3)), {"exclude": ("q",)}, "not in the table"),
    ],
)
def test_bad_input_is_refused_in_one_line(table, options, word):
    with pytest.raises(InputError, match=word):
        relations(table, **options)


def test_command_prints_relations_as_json(tmp_path, capsys):
    from kansym.cli import main

    a, b = RNG(5).uniform(0.5, 2, (2, 150))
    file = tmp_path / "t.csv"
    np.savetxt(file, np.column_stack([a, b, a * b]), delimiter=",", header="a,b,c", comments="")
    with pytest.raises(SystemExit) as end:
        main(["relations", str(file), "--json"])
    assert end.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["relations"]) == 1
    assert found["relations"][0]["exact"]


def test_command_refuses_a_missing_file(capsys):
    from kansym.cli import main

    with pytest.raises(SystemExit) as end:
        main(["relations", "no_such_file.csv"])
    assert end.value.code == 2
    assert "no_such_file" in capsys.readouterr().err


def test_one_row_at_the_edge_hides_no_trend() -> None:
    """A polynomial leaves the column's range on a held-out row beyond all fitted ones."""
    n = 600
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, n)
    y = x + 0.2 * rng.normal(size=n)
    held = np.flatnonzero(np.random.default_rng(0).permutation(n) < n // 3)
    x[held[0]], y[held[0]] = 3.0, 1.0
    survey = Survey(np.column_stack([x, y]), 10, np.random.default_rng(0))
    trends = survey.trends(survey.claims(1), [])
    assert {(t.target, t.others) for t in trends} == {(0, (1,)), (1, (0,))}
