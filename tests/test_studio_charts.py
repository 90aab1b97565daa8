"""What of a picture is sent when a constant is moved: the points and ends of axes that changed."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest

from kansym.studio import charts, drawing
from kansym.studio.charts import Axis, Line

X = np.linspace(1.0, 2.0, 5)


def picture(slope, low=0.0, name="formula", band=False):
    """Return rows and a straight line through them."""
    ends = (X - 1, X + 1) if band else (None, None)
    line = Line(name, X, slope * X, low=ends[0], high=ends[1])
    return charts.curves(Axis("x"), Axis("y", low=low, high=9.0), "a line", (X, X), [line])


def merged(before, change):
    """Return a picture with a change taken in, as ECharts merges it."""
    out = copy.deepcopy(before)
    for line in change["series"]:
        next(s for s in out["series"] if s["id"] == line["id"])["data"] = line["data"]
    for axis in ("xAxis", "yAxis"):
        out[axis].update(change.get(axis, {}))
    return out


def test_only_what_moved_is_sent_and_makes_the_same_picture():
    before, after = picture(2.0), picture(3.0)
    change = charts.changed(before, after)
    assert [line["id"] for line in change["series"]] == ["formula"] and set(change) == {"series"}
    assert merged(before, change) == after
    assert charts.changed(after, copy.deepcopy(after)) == {"series": []}


def test_ends_of_an_axis_go_along():
    before, after = picture(2.0), picture(3.0, low=None)
    change = charts.changed(before, after)
    assert change["yAxis"] == {"min": None, "max": 9.0}
    assert merged(before, change) == after


def test_another_picture_is_drawn_anew():
    before = picture(2.0)
    assert charts.changed(before, picture(2.0, name="compared")) is None
    assert charts.changed(before, picture(2.0, band=True)) is None
    assert charts.changed(picture(2.0, band=True), picture(3.0, band=True)) is None  # a band has no name
    assert charts.changed({}, before) is None and charts.changed(before, {}) is None


@pytest.mark.parametrize(("rows", "which"), [(50_000, "all rows"), (10**6, "50,000 of 1,000,000 rows")])
def test_it_is_said_on_which_rows_a_law_is_off(rows, which):
    desk = SimpleNamespace(dataset=SimpleNamespace(rows=rows), run=None, share=lambda: 0.125)
    assert drawing.off(desk) == f"Off by 0.125 of the spread on {which}."
