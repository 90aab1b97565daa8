"""A network steered by hand, without a browser: the paper's walk, one press after the other."""

import json

import numpy as np
import pytest
import sympy
from tables import table

from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.data.dataset import from_arrays
from kansym.studio import charts
from kansym.studio.walk import Walk


@pytest.fixture(scope="module")
def data():
    X = np.random.default_rng(3).uniform(-1, 1, (1000, 2))
    return from_arrays(X, np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2), ["x", "y"], target="z")


@pytest.fixture(scope="module")
def pruned(data):
    walk = Walk.begin(data, [5], seed=3)
    walk.press("fit", steps=100, lamb=1e-2)
    walk.press("prune")
    walk.press("fit", grids=[10, 20, 40], steps=60)
    return walk.to_dict()


def test_the_papers_walk_ends_at_the_law(pruned):
    walk = Walk.from_dict(pruned)
    assert walk.model.shape == [2, 1, 1] and walk.formula() is None
    for place, name in (((0, 0, 0), "sin"), ((0, 1, 0), "x^2"), ((1, 0, 0), "exp")):
        walk.take(place)
        assert walk.matches[0].function.name == name
        assert np.abs(walk.fitted(walk.matches[0])).max() < 100
        walk.snap(name)
    walk.press("fit", steps=60, tolerance=0.0)
    x, y = sympy.symbols("x y", real=True)
    assert walk.error < 1e-9
    found = sympy.lambdify((x, y), walk.formula(8))
    assert abs(found(0.3, 0.7) - np.exp(np.sin(np.pi * 0.3) + 0.49)) < 1e-6


def test_the_automatic_walk_says_what_it_takes_and_what_it_leaves(pruned):
    walk = Walk.from_dict(pruned)
    said = [walk.next_snap() for _ in range(3)]
    assert sorted(s.split(": ")[1].split(",")[0] for s in said) == ["exp", "sin", "x^2"]
    with pytest.raises(InputError, match="Every edge has a function"):
        walk.next_snap()
    walk.undo()
    assert walk.formula() is None
    walk.redo()
    assert walk.formula() is not None
    rough = Walk.from_dict(pruned)
    rough.go("start")
    with pytest.raises(InputError, match="fits a curve well enough"):
        for _ in range(20):
            rough.next_snap()
    assert any("leaves" in line and "more than" in line for line in rough.told)


def test_an_edge_in_the_hand_can_be_locked_cut_and_freed(pruned):
    walk = Walk.from_dict(pruned)
    with pytest.raises(InputError, match="No edge is in the hand"):
        walk.snap("sin")
    with pytest.raises(UnknownNameError):
        walk.take((5, 5, 5))
    walk.take((0, 0, 0))
    walk.lock(True)
    assert walk.locked and walk.place == (0, 0, 0)
    walk.lock(False)
    walk.snap("sin")
    assert walk.curves()[0].function == "sin"
    walk.free()
    assert walk.curves()[0].kind == "spline"
    walk.cut()
    assert walk.place is None and len(walk.curves()) == 2
    assert len(walk.compared()) == len(walk.session.states) and walk.compared()[-1]["rmse"] > 0


def test_the_picture_has_every_edge_once_to_click(pruned, data):
    walk = Walk.from_dict(pruned)
    walk.take((0, 1, 0))
    picture = walk.picture()
    assert picture.count('class="edge"') == 2 and picture.count('class="edge picked"') == 1
    assert 'data-edge="0-1-0"' in picture and ">x<" in picture and ">z<" in picture
    wide = Walk.begin(data, [5, 3])
    assert wide.picture().count("data-edge") == 2 * 5 + 5 * 3 + 3


def test_a_walk_opens_again(pruned):
    walk = Walk.from_dict(json.loads(json.dumps(pruned)))
    assert np.isclose(walk.error, Walk.from_dict(pruned).error)
    with pytest.raises(FormatError):
        Walk.from_dict({"session": {"format": "x"}, "target": "y"})


@pytest.mark.parametrize(("law", "noise", "hidden"), [
    (lambda x, y: x * y, 0.0, [1]), (lambda x, y: x * y, 0.05, [1]), (lambda x, y: x + np.sin(y), 0.05, []),
])  # fmt: skip
def test_the_rows_choose_the_simplest_shape_that_does(law, noise, hidden):
    walk = Walk.chosen(table(law, ["x", "y"], [(1, 3)] * 2, noise=noise))
    assert walk.model.shape == [2, *hidden, 1]
    taken = [line for line in walk.told if "taken" in line]
    assert len(walk.told) == 4 and len(taken) == 1 and str(walk.model.shape) in taken[0]


def test_states_have_the_names_that_a_person_gives(pruned):
    walk = Walk.from_dict(pruned)
    walk.next_name = "as it was"
    walk.press("prune")
    assert walk.session.name == "as it was" and walk.next_name == ""
    walk.go("start")
    walk.press("prune")
    rows = {row["name"]: row["parent"] for row in walk.compared()}
    assert rows["as it was"] != "start" and rows[walk.session.name] == "start"


def test_every_ranked_function_is_drawn_over_the_curve(pruned):
    walk = Walk.from_dict(pruned)
    walk.take(next(c.place for c in walk.curves() if c.kind == "spline"))
    curve = next(c for c in walk.curves() if c.place == walk.place)
    fits = [charts.Line(m.function.name, curve.x, walk.fitted(m)) for m in walk.matches]
    made = charts.overlaid(charts.Line("edge", curve.x, curve.y), fits, "t")
    names = [m.function.name for m in walk.matches]
    assert [s["name"] for s in made["series"]] == ["edge", *names] and made["legend"]["data"] == names


def test_a_network_of_no_sense_is_refused(data):
    with pytest.raises(InputError, match="between 1 and 50"):
        Walk.begin(data, [0])
