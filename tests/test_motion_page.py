"""The page of laws of motion: whole, self-contained, escaped; the pictures of time series."""

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from kansym.cli import main
from kansym.pipeline.motion.dynamics import dynamics
from kansym.pipeline.motion.trajectory import series
from kansym.report import motion
from kansym.report.traces import ticks, trace_svg


@pytest.fixture(scope="module")
def decays():
    t = np.linspace(0, 5, 60)
    return {"t": [t, t], "X": [np.exp(-t)[:, None], 3 * np.exp(-t)[:, None]], "names": ["<b>x"],
            "units": {"<b>x": "g", "t": "h"}}  # fmt: skip


def test_every_run_is_simulated_from_its_own_start(decays):
    found = dynamics(**decays)
    runs = motion.beside(found, series(**decays))
    assert len(runs) == 2 and [round(run["drawn"]["<b>x"]["simulated"][0]) for run in runs] == [1, 3]
    for run in runs:
        assert np.allclose(run["drawn"]["<b>x"]["simulated"], run["drawn"]["<b>x"]["measured"], atol=1e-4)


def test_the_page_is_whole_and_escapes_names(decays):
    found = dynamics(**decays)
    page = motion.page(found, motion.beside(found, series(**decays)), "a<i>table", "t")
    assert "<b>x" not in page and "<i>table" not in page and "&lt;b&gt;x" in page
    assert "1/h" in page and page.count('class="chart"') == 2 and "run 2" in page
    assert not re.search(r"(src|href)=.?https?:|<script", page)


def test_the_command_writes_the_page(tmp_path):
    t = np.linspace(0, 5, 60)
    rows = [f"{a:.6g},{np.exp(-a):.8g}" for a in t]
    (tmp_path / "decay.csv").write_text("t,x\n" + "\n".join(rows) + "\n")
    arguments = [
        "dynamics",
        str(tmp_path / "decay.csv"),
        "--time",
        "t",
        "--out",
        str(tmp_path / "out"),
        "--report",
    ]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert "simulated from the start" in (tmp_path / "out" / "motion.html").read_text(encoding="utf-8")


def test_a_trace_is_interrupted_where_it_is_unknown_or_leaves():
    svg = trace_svg([0, 1, 2, 3, 4], [1, 2, None, 4, 5], [1, 2, None, 4, 900], "a&b", "x<y")
    ElementTree.fromstring(svg)
    assert svg.count("<circle") == 4 and len(re.findall("M", svg)) == 2 and "a&amp;b" in svg


def test_values_all_the_same_are_drawn():
    svg = trace_svg([0, 1], [0, 0], [0, 0], "t", "x")
    ElementTree.fromstring(svg)
    assert svg.count("<circle") == 2 and "nan" not in svg


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9))
def test_ticks_are_a_few_within_the_range(low, width):
    found = ticks(low, low + width)
    assert 1 <= len(found) <= 11
    slack = 1e-6 * (width + math.fabs(low))
    assert all(low - slack <= v <= low + width + slack for v in found)
