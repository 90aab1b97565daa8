"""The desk without a browser: bring a table, search in another process, decide, save and open again."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from kansym.base.errors import FormatError, InputError
from kansym.pipeline.flow import discover
from kansym.studio import charts, drawing, session, takeaway
from kansym.studio.columns import profiles
from kansym.studio.desk import FAILED, OVER, PAUSED, SEARCHING, Desk, Live, Opened
from kansym.studio.folder import Folder
from kansym.studio.question import Question

PATIENCE = 120.0
"""Seconds that a machine with much else to do may need for a short search."""


def wait(desk: Desk) -> None:
    """Listen until the search's process has answered."""
    end = time.monotonic() + PATIENCE
    while (desk.searching or desk.process.busy) and time.monotonic() < end:
        desk.listen()
        time.sleep(0.02)
    assert not desk.searching and not desk.process.busy


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A desk in a folder with one table of a Michaelis-Menten curve."""
    place = tmp_path_factory.mktemp("work")
    x = np.linspace(0.2, 10, 40)
    y = 3.2 * x / (1.7 + x) + np.random.default_rng(0).normal(0, 0.02, 40)
    lines = [f"{a:.5g},{b:.5g},{'north' if a < 5 else 'south'}" for a, b in zip(x, y, strict=True)]
    (place / "rate.csv").write_text("S [mM],v [mM/s],side\n" + "\n".join(lines) + "\n,1,north\n")
    made = Desk(Folder.of(place))
    yield made
    made.close()


@pytest.fixture
def found(desk):
    """The desk with a run on it, made here and not by the process, so that it is quick."""
    desk.take(Opened.read(desk.folder, "rate.csv"))
    desk.ask(replace(desk.question.with_part("side", "unused"), time_limit=20.0))
    desk.dataset = desk.prepared()
    desk.show(_run(desk.dataset))
    return desk


RUNS = {}


def _run(dataset):
    if dataset.hash not in RUNS:
        RUNS[dataset.hash] = discover(dataset, effort=0.02)
    return RUNS[dataset.hash]


def test_columns_are_seen_with_unit_range_gaps_and_bars(desk):
    one, two, three = profiles(desk.folder.read("rate.csv"))
    assert (one.name, one.kind, one.unit, one.gaps) == ("S", "number", "mM", 1)
    assert (one.low, one.high) == (0.2, 10.0) and sum(one.bars) == 40
    assert (three.kind, three.different, three.words) == ("category", 2, ("north", "south"))
    assert two.numeric and not three.numeric


def test_columns_that_span_decades_have_logarithmic_bars(tmp_path):
    (tmp_path / "dose.csv").write_text("dose,y\n" + "".join(f"{10.0**k},{k}\n" for k in range(-4, 4)))
    dose, y = profiles(Folder.of(tmp_path).read("dose.csv"))
    assert dose.log and not y.log and dose.bars == y.bars


def test_words_that_no_search_takes_are_not_suggested(tmp_path):
    rows = "\n".join(f"animal {k % 25},{k},{k * 2}" for k in range(75))
    (tmp_path / "animals.csv").write_text(f"kind,x,y\n{rows}\n")
    desk = Desk(Folder.of(tmp_path))
    desk.take(Opened.read(desk.folder, "animals.csv"))
    assert desk.opened.profiles[0].kind == "text" and desk.question.of("category") == ()
    assert desk.prepared().names == ("x",)


def test_a_table_suggests_its_question_and_a_click_changes_it(desk):
    desk.take(Opened.read(desk.folder, "rate.csv"))
    asked = desk.question
    assert (asked.target, asked.of("input"), asked.of("category")) == ("v", ("S",), ("side",))
    turned = asked.with_part("S", "target")
    assert turned.target == "S" and turned.parts["v"] == "input"
    with pytest.raises(InputError, match="cannot be"):
        asked.with_part("S", "boss")
    with pytest.raises(InputError, match="No column is an input"):
        asked.with_part("S", "unused").with_part("side", "unused").dataset(desk.opened.table)
    with pytest.raises(InputError, match="function"):
        desk.ask(replace(asked, exclude=("sinn",)))
    assert Question.from_dict(json.loads(json.dumps(turned.to_dict()))) == turned
    with pytest.raises(FormatError):
        Question.from_dict({"parts": {"a": "boss"}})
    planets = Opened.read(desk.folder, "planets")
    desk.take(planets)
    assert desk.question.target == "period" and desk.question.relative_error == 0.001


def test_a_search_grows_its_front_in_another_process_and_goes_on_after_a_pause(desk):
    desk.take(Opened.read(desk.folder, "hubble"))
    desk.ask(replace(desk.question, effort=0.2))
    desk.begin(desk.prepared())
    with pytest.raises(InputError, match="pause it first"):
        desk.begin(desk.prepared())
    with pytest.raises(InputError, match="pause it first"):
        desk.take(desk.opened)
    end = time.monotonic() + PATIENCE
    while not desk.live.front and desk.searching and time.monotonic() < end:
        desk.listen()
    if desk.searching:
        desk.stop(pause=True)
    wait(desk)
    assert desk.run is not None and desk.state in (PAUSED, OVER)
    desk.ask(replace(desk.question, exclude=("sin", "cos")))
    assert desk.asks_anew
    desk.go_on()
    wait(desk)
    assert desk.state == OVER and not desk.asks_anew
    assert "sin" in desk.run.options["exclude"]
    desk.try_formula("H*distance + v0")
    wait(desk)
    assert desk.law.source.startswith("guess") and "your guess" in desk.law.note
    assert [c.name for c in desk.law.constants] == ["H", "v0"]
    with pytest.raises(InputError):
        desk.try_formula("__import__('os')")
    desk.forget()
    assert not list((desk.folder.root / "kansym-studio").glob("search-*"))


def test_a_growing_front_shows_the_row_that_was_clicked_while_it_lasts(found):
    desk = found
    try:
        desk.state = SEARCHING
        desk.live = Live(front=((1, 1.0, "2"), (3, 0.5, "S*2"), (5, 0.1, "S*2 + 1")))
        assert desk.live_row == 2 and "2*S + 1" in str(drawing._current(desk).expression)
        desk.choose(1)
        assert desk.live_row == 1 and str(drawing._current(desk).expression) == "2*S"
        assert drawing.front(desk)["series"][-1]["data"][1]["itemStyle"]["color"] == charts.ACCENT
        desk.live = Live(front=((1, 1.0, "2"), (2, 0.9, "S"), (3, 0.5, "S*2")))
        assert desk.live_row == 2
        desk.live = Live(front=((1, 1.0, "2"), (2, 0.9, "S"), (5, 0.1, "S*2 + 1")))
        assert desk.live_row == 2
        band = drawing.curve(desk, "S")["series"][0]
        assert band["name"] == "band"  # while it grows: about as wide as what is left of the rows
        desk.choose(99)
        desk.pick("S", 2)  # seen in a row where another stands by now
        assert desk.live_row == 1
        with pytest.raises(InputError, match="on the front no more"):
            desk.pick("S*2", 1)
        desk.live = Live()
        assert desk.live_row is None
    finally:
        desk.state = OVER


def test_a_front_that_has_not_changed_is_not_drawn_again(found, monkeypatch):
    desk = found
    news = {"kind": "progress", "stage": "tree", "seconds": 1.0, "left": None, "front": [[1, 0.5, "S"]]}
    monkeypatch.setattr(desk.process, "news", lambda: [news])
    desk.listen()
    before = dict(desk.changes)
    desk.listen()
    assert desk.changes["live"] == before["live"] + 1 and desk.changes["front"] == before["front"]
    news["front"] = [[1, 0.4, "S"]]
    desk.listen()
    assert desk.changes["front"] == before["front"] + 1


def test_a_crash_of_the_search_is_a_message(desk):
    desk.take(Opened.read(desk.folder, "rate.csv"))
    desk.begin(desk.prepared())
    desk.process._process.kill()
    wait(desk)
    assert desk.state == FAILED and "ended by itself" in desk.message
    desk.go_on()
    desk.stop()
    wait(desk)
    assert desk.run is not None or desk.message


def test_constants_have_their_family_names_and_follow_the_hand(found):
    desk = found
    rows = [i for i, law in enumerate(desk.run.front) if law.family == "Michaelis-Menten"]
    desk.choose(rows[0])
    handles = desk.bench.handles
    assert [h.name for h in handles] == ["Vmax", "Km"] and all(h.error > 0 for h in handles)
    best = desk.share()
    desk.move(0, 2.0)
    assert desk.moved and desk.share() > 5 * best
    desk.hold(0, True)
    desk.refit()
    assert desk.theta[0] == 2.0 and desk.theta[1] != handles[1].value
    desk.hold(0, False)
    desk.refit()
    assert desk.share() == pytest.approx(best, rel=0.05)
    desk.move(0, 3.2)
    before = len(desk.run.front)
    desk.keep()
    assert (
        len(desk.run.front) == before + 1 and desk.law.source == "by hand" and "Vmax = 3.2" in desk.law.note
    )
    with pytest.raises(InputError, match="finite"):
        desk.move(0, float("nan"))
    with pytest.raises(InputError, match="no row"):
        desk.choose(99)


@pytest.fixture
def apart(tmp_path):
    """A desk with a run on a decay: rows with errors of their values' size, two of them far off."""
    x = np.linspace(0.5, 8, 40)
    y = 30 * np.exp(-0.5 * x) * (1 + np.random.default_rng(1).normal(0, 0.05, 40))
    y[[5, 30]] *= 5
    lines = [f"{a:.6g},{b:.6g}" for a, b in zip(x, y, strict=True)]
    (tmp_path / "decay.csv").write_text("t,y\n" + "\n".join(lines) + "\n")
    desk = Desk(Folder.of(tmp_path))
    desk.take(Opened.read(desk.folder, "decay.csv"))
    desk.dataset = desk.prepared()
    desk.show(_run(desk.dataset))
    return desk


def test_constants_are_judged_and_fitted_as_the_search_did(apart):
    desk = apart
    run = desk.run
    assert [o.row for o in run.outliers] == [5, 30] and run.noise_model.kind == "relative"
    best = run.best
    said = np.sqrt([best.loss, best.heldout_loss]) / run.data["target_spread"]
    assert said.min() / 1.5 < desk.share() < 1.5 * said.max()
    fitted = desk.theta.copy()
    desk.refit()
    errors = np.array([h.error for h in desk.bench.handles])
    assert np.all(np.abs(desk.theta - fitted) < errors)
    assert "but the 2 left out" in drawing.off(desk)


def test_rows_left_out_are_ringed_and_hide_nothing(apart):
    made = drawing.curve(apart, "t")["series"]
    rings = next(s["data"] for s in made if s["name"] == "left out")
    assert [round(t, 2) for t, _ in rings] == [1.46, 6.27]
    left = drawing.residuals(apart, "t")["series"][0]["data"]
    assert len(left) == 38 and "Red rings" in drawing.legend(apart)


def test_pictures_along_an_input_have_one_axis(found):
    ends = [[made(found, "S")["xAxis"][end] for end in ("min", "max")] for made in
            (drawing.curve, drawing.residuals)]  # fmt: skip
    assert ends[0] == ends[1] and None not in ends[0]


def test_what_is_tried_is_said_in_plain_words():
    pytest.importorskip("nicegui", reason="no studio: nicegui is not installed")
    from kansym.search import registry
    from kansym.search.producer import Producer
    from kansym.studio.page.search import STAGES

    names = {p.name for p in vars(registry).values() if isinstance(p, Producer)}
    assert {*names, "network", "classics", "curves", "template", "categories"} <= set(STAGES)


def test_everything_drawn_follows_the_row(found):
    desk = found
    curves = []
    for row in range(len(desk.run.front)):
        desk.choose(row)
        desk.compare(0)
        options = drawing.curve(desk, "S")
        names = [s["name"] for s in options["series"]]
        assert "rows" in names and "formula" in names and ("compared" in names) == (row != 0)
        curves.append(next(s["data"] for s in options["series"] if s["name"] == "formula"))
        assert options["xAxis"]["name"] == "{sign|S} [mM]"
        json.dumps(
            [drawing.front(desk), drawing.residuals(desk, "S"), drawing.predicted(desk)], allow_nan=False
        )
    assert len({json.dumps(c) for c in curves}) == len({law.equation for law in desk.run.front})


def test_exact_laws_stand_on_a_level_of_their_own(desk):
    x = np.linspace(1, 3, 50)[:, None]
    desk.forget()
    desk.opened = None
    desk.show(discover(x, 2 * x[:, 0] ** 2, effort=0.02))
    assert any(error == 0 for _, error, _ in drawing.points(desk))
    axis = drawing.front(desk)["yAxis"]
    assert axis["type"] == "log" and "0 (exact)" in axis["axisLabel"][":formatter"] and axis["min"] > 0


def test_a_session_opens_again_as_it_was(found, tmp_path):
    desk = found
    desk.choose(1)
    desk.move(0, 2.5)
    data = json.loads(json.dumps(session.to_dict(desk), allow_nan=False))
    other = Desk(Folder.of(tmp_path))
    session.open_into(other, data)
    assert (other.row, other.law.equation) == (1, desk.law.equation)
    assert other.theta.tolist() == desk.theta.tolist() and other.moved
    assert other.dataset.hash == desk.dataset.hash
    assert session.to_dict(other)["run"] == data["run"]
    assert other.folder.files() == ["kansym-studio/rate.csv"]


def test_how_dates_are_written_is_chosen_and_goes_along(tmp_path):
    lines = [f"0{k}/02/2023,{2 * k}" for k in range(1, 5)]
    (tmp_path / "log.csv").write_text("when,y\n" + "\n".join(lines) + "\n")
    desk = Desk(Folder.of(tmp_path))
    desk.take(Opened.read(desk.folder, "log.csv"))
    when = desk.opened.profiles[0]
    assert when.kind == "text" and "can be read in two ways" in when.about
    desk.take(Opened.read(desk.folder, "log.csv", {"dates": "day-first"}))
    assert (desk.opened.profiles[0].kind, desk.opened.profiles[0].high) == ("date", 3.0)
    assert "read_table('log.csv', dates='day-first')" in takeaway.cell(desk)
    data = json.loads(json.dumps(session.to_dict(desk)))
    session.open_into(desk, data)
    assert desk.opened.writing == {"dates": "day-first"} and desk.opened.profiles[0].high == 3.0
    data["table"]["writing"] = {"dates": "__import__"}
    with pytest.raises(InputError, match="dates is '__import__'"):
        session.open_into(desk, data)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"run": {"format": 1}},
        {"row": "x"},
        {"row": 99},
        {"question": {"parts": {}, "evil": 1}},
        {"table": {"name": "../x.csv", "content": "!!"}},
        {"table": {"name": "x.sh", "content": "YQ=="}},
        {"table": {"name": "/etc/passwd", "content": None}},
        {"constants": ["a"]},
        {"steps": 5},
    ],
)
def test_a_garbled_session_is_refused_in_a_line(found, tmp_path, change):
    data = session.to_dict(found)
    with pytest.raises((FormatError, InputError)) as refused:
        session.open_into(Desk(Folder.of(tmp_path)), {**data, **change})
    assert "\n" not in str(refused.value)


def test_it_is_taken_along_in_every_language_and_as_figures(found):
    desk = found
    desk.choose(1)
    for language in takeaway.LANGUAGES:
        assert takeaway.code(desk, language).strip()
    assert desk.law.equation in takeaway.report(desk)
    assert takeaway.figure(desk, "slices", "svg").startswith(b"<?xml")
    assert takeaway.figure(desk, "front", "pdf").startswith(b"%PDF")
    with pytest.raises(InputError, match="no figure"):
        takeaway.figure(desk, "../x", "svg")


def test_the_cell_repeats_what_was_done(desk, monkeypatch):
    desk.take(Opened.read(desk.folder, "planets"))
    desk.begin(desk.prepared())
    wait(desk)
    monkeypatch.chdir(desk.folder.root)
    space = {}
    exec(compile(takeaway.cell(desk), "cell", "exec"), space)
    assert space["run"].best.equation == desk.law.equation == "semi_major_axis**(3/2)"
    assert str(space["law"]) == desk.law.equation


def test_a_run_opens_without_its_table(found, tmp_path):
    from kansym.report import page

    path = tmp_path / "result.json"
    path.write_text(json.dumps(page.summarise(found.run, found.dataset)))
    other = Desk(Folder.of(tmp_path))
    session.open_first(other, str(path))
    assert other.run.best.equation == found.run.best.equation
    assert drawing.curve(other, "S")["series"]
    with pytest.raises(InputError, match="needs the table"):
        other.try_formula("a*S")


def test_the_page_does_without_what_only_a_search_needs(tmp_path):
    """Each of these is 15 to 300 MB: the page shows no networks, and figures are drawn in another process."""
    code = """
import json, sys
from pathlib import Path
from kansym.studio import drawing, session, takeaway
from kansym.studio.desk import Desk, Opened
from kansym.studio.folder import Folder
from kansym.studio.page import known, law, more, network, search, shell, table, take
desk = Desk(Folder.of("."))
session.open_into(desk, json.loads(Path("session.json").read_text()))
desk.ask(desk.question)
[drawing.front(desk), drawing.curve(desk, "S"), drawing.residuals(desk, "S"), drawing.predicted(desk)]
desk.move(0, desk.theta[0] * 1.1); desk.refit(); desk.share()
takeaway.code(desk, "python"), takeaway.figure(desk, "predicted", "svg")
heavy = ("torch", "numba", "matplotlib", "scipy.stats", "scipy.signal", "kansym.search.tree", "sklearn")
print([name for name in heavy if name in sys.modules])
"""
    made = Desk(Folder.of(tmp_path))
    x = np.linspace(0.2, 10, 30)
    (tmp_path / "rate.csv").write_text("S,v\n" + "\n".join(f"{a:.5g},{3 * a:.5g}" for a in x) + "\n")
    made.take(Opened.read(made.folder, "rate.csv"))
    made.dataset = made.prepared()
    made.show(discover(made.dataset, effort=0.02))
    (tmp_path / "session.json").write_text(json.dumps(session.to_dict(made)))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_the_first_page_needs_nothing_heavy(tmp_path):
    """Each of these takes a third of a second, which the first page would come later."""
    code = """
import sys
from kansym.studio import server
from kansym.studio.folder import Folder
from kansym.studio.page import shell
from kansym.studio.page.view import View
made = Folder.of(".")
made.files(), made.shipped()
print([name for name in ("pandas", "sympy", "scipy", "kansym.studio.desk", "pint") if name in sys.modules])
"""
    pytest.importorskip("nicegui")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_clicked_rows_network_is_drawn(found):
    pictures = []
    for row in range(len(found.run.front)):
        found.choose(row)
        pictures.append(drawing.network(found))
        assert pictures[-1].startswith("<svg") and ">v<" in pictures[-1]
    assert len(set(pictures)) > 1
    found.choose(found.run.chosen)
    if found.bench.handles:  # the picture has the constants as they were set
        before = drawing.network(found)
        found.move(0, 2 * found.theta[0] + 1)
        assert drawing.network(found)
        found.reset()
        assert drawing.network(found) == before
    assert drawing.network(Desk(found.folder)) == ""


def test_stop_is_heard_before_the_search_has_begun(desk):
    desk.process.close()  # a new process is seconds away from its first order
    desk.take(Opened.read(desk.folder, "hubble"))
    desk.ask(replace(desk.question, time_limit=PATIENCE, effort=100.0))
    desk.begin(desk.prepared())
    desk.stop()
    begun = time.monotonic()
    wait(desk)
    assert time.monotonic() - begun < PATIENCE / 2 and "Stopped" in desk.message


def test_where_no_law_was_found_nothing_drawn_says_the_law(found):
    desk = found
    options = [
        drawing.curve(desk, "S"),
        drawing.residuals(desk, "S"),
        drawing.predicted(desk),
        drawing.front(desk),
    ]
    assert "law" not in json.dumps(options).lower()
    assert not any("law" in words for words in takeaway.FIGURES.values())


def test_many_dots_are_one_path():
    x = np.arange(100.0)
    rows = charts.curves(charts.Axis("x"), charts.Axis("y"), "t", (x, x), ())["series"][0]
    assert rows["large"] and rows["largeThreshold"] < len(x)
