"""Motion, classes and relations as the studio asks for them, without a browser and without a process."""

import json

import numpy as np
import pytest
from tables import asides

from kansym.base.errors import InputError
from kansym.studio.asides import asked


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asides")
    asides(folder)
    return {"root": str(folder), "named": None, "seconds": 20.0, "group": "", "writing": {}}


def test_motion_is_simulated_beside_the_rows(place):
    order = {**place, "table": "decay.csv", "time": "t", "states": [], "inputs": [], "order": "1"}
    found = asked("motion", order)
    assert found["equations"]["x"] == "-0.7*x" and found["time"] == "t"
    drawn = found["drawn"]["x"]
    assert len(drawn["measured"]) == len(drawn["simulated"]) == len(found["t"]) == 150
    assert np.allclose(drawn["measured"], drawn["simulated"], atol=1e-3)
    json.dumps(found, allow_nan=False)


def test_two_classes_have_their_boundary_drawn(place):
    found = asked("classes", {**place, "table": "disc.csv", "target": "side", "inputs": []})
    assert found["axes"] == ["u", "v"] and len(found["labels"]) == 300
    border = np.array(found["border"])
    assert len(border) > 50 and abs(np.hypot(*border.T).mean() - 0.5**0.5) < 0.05
    json.dumps(found, allow_nan=False)


def test_relations_are_those_of_the_columns_asked_for(place):
    found = asked("relations", {**place, "table": "bound.csv", "columns": ["a", "b", "c"]})
    assert any(
        r["exact"] and set(r["equation"].split(" = ")[1].split("*")) <= {"a", "b"} for r in found["relations"]
    )
    json.dumps(found, allow_nan=False)


def test_a_table_outside_the_folder_is_not_read(place):
    with pytest.raises(InputError, match="outside"):
        asked("relations", {**place, "table": "/etc/passwd", "columns": []})
