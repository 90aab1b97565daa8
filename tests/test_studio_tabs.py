"""The studio's other tabs in a real browser, with results; and tables as people bring them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from tables import asides
from windows import Studio, axe, narrow

pytest.importorskip("nicegui", reason="no studio: nicegui is not installed")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("tabs")
    asides(place)
    rows = [f"{a:.2f};{3.5 * a:.3f}".replace(".", ",") for a in np.linspace(0.5, 20, 25)]
    (place / "europe.csv").write_text("Weg;Kraft\nmm;N\n" + "\n".join(rows) + "\nn/a;1,0\n")
    return place


@pytest.fixture(scope="module")
def studio(browser, folder):
    made = Studio(browser, folder)
    made.open()
    yield made
    made.close()


def _sound(studio):
    """See that what is shown has words, contrast, and room on a phone, and that nothing went wrong."""
    assert axe(studio.window) == []
    assert narrow(studio.window) <= 390
    assert studio.severe() == []


def _open(studio, name, tab):
    studio.press("Table")
    studio.press(name)
    studio.see(f"{name}: ")
    studio.write("At most so many seconds", "20")
    studio.press(tab)


ANSWERS = {  # which table, and what is seen when the answer has come
    "Motion": ("decay.csv", lambda s: "Simulated from the fitted start" in s.text() and s.strokes() > 100),
    "Classes": ("disc.csv", lambda s: "the commonest class alone" in s.text() and s.strokes() > 300),
    "Relations": ("bound.csv", lambda s: "0 (exact)" in s.text() and s.all(".arrows svg marker")),
}


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("tab", ANSWERS)
def test_what_else_is_asked_is_drawn(studio, tab, look):
    table, is_there = ANSWERS[tab]
    studio.choose("Colours", look)
    if look == "light":
        _open(studio, table, tab)
        studio.press("Find them")
    studio.see(lambda: is_there(studio))
    studio.picture(f"{tab.lower()}-{look}")
    _sound(studio)


def test_a_growing_front_can_be_clicked(studio):
    studio.choose("Colours", "light")
    studio.press("Table")
    studio.press("firas")  # its errors are so small that the search looks on for long
    studio.see("firas: ")
    studio.write("At most so many seconds", "60")
    studio.press("Search for the law")
    studio.see(lambda: len(studio.texts("tr[data-row]")) > 1)
    studio.click(lambda: next(iter(studio.all("tr[data-row]")), None))
    studio.see("Row of the front so far, complexity 1")
    studio.press("Pause")
    studio.see("Paused after ")
    studio.press("Go on")
    studio.see(lambda: studio.button("Pause"))
    assert studio.severe() == []


def test_a_search_goes_on_with_what_is_allowed_now(studio):
    studio.press("Pause")
    studio.see("Paused after ")
    studio.press("Table")
    studio.click(lambda: studio.find("summary", "Functions that may be used"))
    studio.press("tanh")
    studio.see(lambda: studio.button("tanh").get_attribute("aria-pressed") == "false")
    studio.press("Law")
    studio.press("Go on with what is allowed now")
    studio.press("Stop")
    studio.see(lambda: studio.button("Search anew"))
    assert not any("tanh" in row for row in studio.texts("tr[data-row]"))
    assert studio.severe() == []


def test_a_search_that_crashes_is_a_message(studio):
    studio.press("Search anew")
    studio.see("so far, complexity ")
    tasks = Path(f"/proc/{studio.process.pid}/task").glob("*/children")
    children = [int(pid) for task in tasks for pid in task.read_text().split()]
    searching = [p for p in children if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]
    assert len(searching) == 1
    os.kill(searching[0], signal.SIGKILL)
    studio.see("ended by itself")
    assert "so far, complexity " in studio.text()
    studio.press("Go on")
    studio.press("Stop")  # at once: it may end before there is a result, and what was told stays
    studio.see(lambda: studio.button("Go on"))
    assert studio.formula() and studio.severe() == []


def test_a_table_with_commas_units_and_words_is_read_and_searched(studio):
    _open(studio, "europe.csv", "Table")
    studio.see(lambda: studio.value("Unit of Weg") == "mm")
    studio.see("What was repaired on reading")
    studio.press("Search for the law")
    studio.see(lambda: studio.button("Search anew"))
    studio.see(lambda: "The law" in studio.text() and "Kraft" in studio.formula())
    studio.see(lambda: {"Weg [mm]", "Kraft [N]"} <= set(studio.marks()))
    assert studio.severe() == []


def test_what_has_just_been_unfolded_stays_open_after_a_press_inside(studio):
    studio.press("Table")
    studio.see(lambda: studio.find("summary", "More"))
    label = "Constants may have units"
    # in one go: the browser tells that something has unfolded after the press
    studio.window.execute_script(
        f"const box = document.querySelector('input[aria-label=\"{label}\"]'); box.id = 'before';"
        "box.closest('details').firstElementChild.click(); box.click()"
    )
    anew = f"input[aria-label='{label}']:not(#before)"
    studio.see(lambda: studio.find(anew, label))
    assert studio.find(anew, label).is_selected()
    assert studio.severe() == []


def test_the_whole_way_by_keys(studio):
    """From the table's button to another row of the front with Tab, Enter and arrows, no mouse."""
    from selenium.webdriver.common.keys import Keys

    def focused():
        return studio.window.switch_to.active_element

    studio.press("Table")
    studio.named("Part of Weg")
    studio.keys("planets", Keys.ENTER)
    studio.see("Eight planets")
    studio.keys("Search for the law", Keys.ENTER)
    studio.see(lambda: studio.button("Search anew"))
    before = studio.formula()

    def reached():
        """Go on from tab to tab; what is drawn anew takes the focus along to the top."""
        focused().send_keys(Keys.TAB)
        return "Show the formula" in (focused().get_attribute("aria-label") or "")

    studio.see(reached)
    focused().send_keys(Keys.ENTER)
    studio.see(lambda: studio.formula() != before)
    assert studio.severe() == []
