"""The studio in a real browser: what a person does with it, by clicks and keys alone."""

from __future__ import annotations

import http.client
import socket
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from windows import PATIENCE, Studio, axe, narrow

pytest.importorskip("nicegui", reason="no studio: nicegui is not installed")

pytestmark = pytest.mark.browser

OPEN = "[role=tab][aria-selected=true]"
"""The head of the tab that is open."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("studio")
    x = np.linspace(0.2, 10, 40)
    y = 3.2 * x / (1.7 + x) + np.random.default_rng(0).normal(0, 0.02, 40)
    lines = "\n".join(f"{a:.5g},{b:.5g}" for a, b in zip(x, y, strict=True))
    (place / "rate.csv").write_text(f"S [mM],v [mM/s]\n{lines}\n")
    return place


@pytest.fixture(scope="module")
def studio(browser, folder):
    made = Studio(browser, folder)
    yield made
    made.close()


def _status(address, host=None, path="/", **headers):
    return _answer(address, host, path, **headers)[0]


def _answer(address, host=None, path="/", **headers):
    port = int(address.split(":")[2].split("/")[0])
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    link.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}", **headers})
    answer = link.getresponse()
    body = answer.read()
    link.close()
    return answer.status, body


def test_who_lacks_the_token_gets_nothing(studio):
    query = "/?" + studio.address.split("?")[1]
    assert _status(studio.address) == 403 and _status(studio.address, path="/?token=x") == 403
    assert _status(studio.address, path=query) == 200
    assert _status(studio.address, "evil.example", query) == 403
    assert _status(studio.address, path=query, Origin="http://evil.example") == 403
    studio.open()
    socket_path = "/_nicegui_ws/socket.io/?EIO=4&transport=polling"
    assert _status(studio.address, path=socket_path) == 403
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
    assert _status(studio.address, path=socket_path.replace("polling", "websocket"), **upgrade) == 403
    upgrade |= {"Origin": "http://evil.example", "Cookie": "a=b"}
    knows = socket_path.replace("polling", "websocket") + "&" + studio.address.split("?")[1]
    assert _status(studio.address, path=knows, **upgrade) == 403
    parts = studio.window.execute_script(
        "return [...document.querySelectorAll('script, link')].map(e => e.src || e.href).filter(a => a)"
    )
    for path in [p.split("/", 3)[-1] for p in parts if p.startswith("http")]:
        assert _status(studio.address, path="/" + path) == 403, path


def test_it_listens_on_this_machine_alone(studio):
    port = int(studio.address.split(":")[2].split("/")[0])
    with pytest.raises(OSError):  # every address of the loopback answers where a server listens everywhere
        socket.create_connection(("127.0.0.2", port), timeout=5).close()
    socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()


@pytest.mark.parametrize(
    "path",
    [
        "/rate.csv",
        "/kansym-studio/rate.csv",
        "/../rate.csv",
        "/_nicegui/../../../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/_nicegui/{version}/static/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/_nicegui/{version}/static//etc/passwd",
        "/_nicegui/{version}/components/..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/_nicegui/{version}/resources/x/..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    ],
)
def test_paths_lead_to_no_file(studio, path):
    import nicegui

    asked = path.format(version=nicegui.__version__) + "?" + studio.address.split("?")[1]
    status, body = _answer(studio.address, path=asked)
    assert status in (400, 404) and b"root:" not in body and b"mM/s" not in body


def test_garbage_through_the_socket_does_no_harm(studio):
    studio.open()
    own = "window.clientId"
    for name, data in (
        ("event", "{}"), ("event", "{id: -1}"), ("event", "null"), ("event", "'x'"), ("nothing", "[[[]]]"),
        ("event", f"{{client_id: {own}, id: 99999, listener_id: 'x', args: ['{{']}}"),
        ("event", f"{{client_id: {own}, id: 4, listener_id: {{}}, args: 7}}"),
        ("handshake", "{client_id: 'another'}"), ("javascript_response", "{client_id: 1}"),
    ):  # fmt: skip
        studio.window.execute_script(f"window.socket.emit('{name}', {data})")
    wire = "window.socket.io.engine.transport.ws"
    studio.see(lambda: studio.window.execute_script(f"return Boolean({wire})"))
    studio.window.execute_script(
        f"window.wire = {wire}; WebSocket.prototype.send.call(wire, '4' + 'y'.repeat(5e6))"
    )
    studio.see(lambda: studio.window.execute_script("return window.wire.readyState === WebSocket.CLOSED"))
    studio.open()  # one that sends too much is cut off; the others' studio goes on
    studio.press("rate.csv")
    studio.see("rate.csv: 40 rows")
    assert studio.process.poll() is None
    studio.severe()  # what the browser said of it is no fault


def test_it_writes_into_its_own_folder_alone(studio, folder):
    studio.open()
    studio.press("rate.csv")
    studio.see("rate.csv: 40 rows")
    assert {p.name for p in folder.iterdir()} <= {"rate.csv", "stderr", "kansym-studio"}
    assert not list(Path(tempfile.gettempdir()).glob(f"kansym-studio-{studio.process.pid}*"))


def test_a_table_becomes_a_law_by_clicks_alone(studio):
    studio.open()
    studio.press("rate.csv")
    studio.see("rate.csv: 40 rows")
    assert studio.value("Unit of S") == "mM"
    studio.picture("table")
    studio.write("At most so many seconds", "30")
    studio.press("Search for the law")
    studio.see(lambda: studio.button("Search anew"))
    studio.see(lambda: "The law" in studio.text() and "v" in studio.formula())
    studio.see(lambda: len(studio.marks("svg path")) > 10)
    assert "S [mM]" in "".join(studio.marks())
    studio.picture("law")
    assert studio.severe() == []


def test_a_reload_loses_nothing_and_two_tabs_show_the_same(studio):
    before = studio.formula()
    studio.window.refresh()
    studio.see(lambda: studio.formula() == before)
    first = studio.window.current_window_handle
    studio.window.switch_to.new_window("tab")
    try:
        studio.open()
        studio.see(lambda: studio.formula() == before)
        studio.click(lambda: studio.all('tr[data-row] [aria-label*="Show"]')[0])
        studio.see(lambda: studio.formula() != before)
        other = studio.formula()
    finally:
        studio.window.close()
        studio.window.switch_to.window(first)
    studio.see(lambda: studio.formula() == other)
    for tab in ("Network", "Law"):  # the tab that was open is open again
        studio.press(tab)
        studio.see(lambda tab=tab: studio.texts(OPEN) == [tab])
        studio.window.refresh()
        studio.see(lambda tab=tab: studio.texts(OPEN) == [tab] and studio.texts("h2"))


def test_a_row_that_is_clicked_is_followed_by_everything(studio):
    def drawn():
        return [studio.all(css)[-1].get_attribute("innerHTML") for css in (".chart", ".network-box")]

    studio.click(lambda: studio.all("tr[data-row]")[0])
    studio.see(lambda: "picked" in studio.all("tr[data-row]")[0].get_attribute("class"))
    before = studio.see(drawn)
    studio.click(lambda: studio.all("tr[data-row]")[-1])
    studio.see(lambda: all(a != b for a, b in zip(drawn(), before, strict=True)))
    studio.see(lambda: "picked" in studio.all("tr[data-row]")[-1].get_attribute("class"))
    studio.click(lambda: studio.all('tr[data-row] [aria-label*="Compare"]')[-1])
    studio.see("Within the data's ranges the two part most")
    assert len(studio.see(lambda: studio.texts(".formula"))) == 2
    assert studio.severe() == []


LATE = """
const shows = () => [...document.querySelectorAll('tr[data-row]:not(.past *) [aria-label*="Show"]')];
const [first, last] = [shows()[0], shows().at(-1)], at = last.getBoundingClientRect();
const point = kind => (kind === 'pointerdown' ? last : document.body).dispatchEvent(
  new PointerEvent(kind, {bubbles: true, clientX: at.x, clientY: at.y}));
if (arguments[0]) point('pointerdown');
first.click();
const waiting = setInterval(() => {
  if (last.checkVisibility()) return;
  clearInterval(waiting);
  if (arguments[0]) point('pointerup'); else last.click();
}, 5);
"""
"""Script that presses the last row's button once a press on the first had it drawn anew, or holds it then."""


@pytest.mark.parametrize("held", [False, True])
def test_a_press_on_what_is_drawn_anew_is_not_lost(studio, held):
    def picked(row):
        return "picked" in studio.all("tr[data-row]")[row].get_attribute("class")

    studio.click(lambda: studio.all('tr[data-row] [aria-label*="Show"]')[1])
    studio.see(lambda: picked(1))
    studio.window.execute_script(LATE, held)
    studio.see(lambda: picked(-1))


def test_focus_and_unfinished_text_stay_where_they_are(studio):
    from selenium.webdriver.common.keys import Keys

    def focused():
        script = "const e = document.activeElement; return [e.getAttribute('aria-label'), e.value || '']"
        return studio.window.execute_script(script)

    last = studio.see(lambda: studio.all('tr[data-row] [aria-label*="Show"]')[-2])
    name = last.get_attribute("aria-label")
    studio.keys(name, Keys.ENTER)
    studio.see(lambda: "picked" in studio.all("tr[data-row]")[-2].get_attribute("class"))
    assert focused()[0] == name
    field = "Names that are no columns are constants to be fitted"
    studio.see(lambda: [studio.named(field).send_keys("a*S")])
    studio.window.execute_script("document.querySelector('tr[data-row]:not(.past *)').click()")
    studio.see(lambda: "picked" in studio.all("tr[data-row]")[0].get_attribute("class"))
    assert focused() == [field, "a*S"]
    studio.write(field, "")


def test_a_constant_under_the_hand_changes_loss_and_curve_at_once(studio):
    beside = '[aria-label*="Compare"][aria-pressed="true"]'
    if studio.see(lambda: [studio.all(beside)])[0]:
        studio.click(lambda: studio.all(beside)[0])
    studio.see(lambda: not studio.all(".formula.other"))
    studio.click(lambda: next((r for r in studio.all("tr[data-row]") if "S/(S +" in r.text), None))
    studio.see(lambda: [r for r in studio.all("tr.picked") if "S/(S +" in r.text])

    def loss():
        """Return what is left; a button pressed before it is drawn anew is gone."""
        return studio.see(lambda: studio.texts(".loss"))[0]

    fitted = loss()

    def moved():
        slide = "arguments[0].value = arguments[0].max; arguments[0].dispatchEvent(new Event('input'))"
        studio.window.execute_script(slide, studio.named("Move Vmax"))
        time.sleep(0.5)
        return loss() != fitted

    typed = studio.value("Value of Vmax")
    studio.see(moved)
    assert float(studio.value("Value of Vmax")) > float(typed)
    # the band has gone by now: from here on only points and the line of the loss are sent
    before = loss()
    studio.window.execute_script(
        "window.sent = []; window.socket.onAny((kind, what) => sent.push(JSON.stringify(what).length));"
        "arguments[0].value = 3.3; arguments[0].dispatchEvent(new Event('input'))",
        studio.named("Move Vmax"),
    )
    studio.see(lambda: loss() != before)
    sent = studio.see(lambda: [s for s in [studio.window.execute_script("return sent")] if len(s) > 3])[0]
    assert sum(sent) < 15_000, sent  # 40 rows in three pictures; whole pictures take more
    studio.press("Put back")
    studio.see(lambda: loss() == fitted)
    studio.write("Value of Vmax", "3")
    studio.see(lambda: loss() != fitted)
    typed = loss()
    studio.press("Fit the others")
    studio.see(lambda: loss() != typed)
    assert studio.value("Value of Vmax") == "3"
    studio.press("Keep as a row")
    studio.see("set by hand: ")
    assert studio.severe() == []


def test_a_formula_of_ones_own_is_fitted_and_placed(studio):
    studio.write("Names that are no columns are constants to be fitted", "a*S/(b + S) + c")
    studio.press("Fit it and place it on the front")
    studio.see("your guess a*S/(b + S) + c")
    studio.write("Names that are no columns are constants to be fitted", "__import__('os')")
    studio.press("Fit it and place it on the front")
    studio.see(lambda: [e for e in studio.all(".said.bad") if e.text])


def test_a_file_is_dropped_and_nasty_names_run_nothing(studio, tmp_path):
    nasty = tmp_path / "nasty.csv"
    nasty.write_text(
        "<img src=x onerror=window.hit=1>,'};window.hit=1//,y\n"
        + "".join(f"{i},{i * i % 7},{2 * i + 1}\n" for i in range(40))
    )
    studio.press("Table")
    studio.bring(nasty)
    studio.see("nasty.csv: 40 rows")
    studio.press("Search for the law")
    studio.see(lambda: studio.button("Search anew"))
    studio.see(lambda: studio.formula())
    assert studio.window.execute_script("return window.hit === undefined")
    assert studio.severe() == []


def test_dates_that_can_be_read_in_two_ways_are_chosen_by_a_click(studio, tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("when,y\n" + "\n".join(f"0{k}/02/2023,{2 * k}" for k in range(1, 8)) + "\n")
    studio.press("Table")
    studio.bring(log)
    studio.see("can be read in two ways: 01/02/2023 in row 1 is 1 February 2023 with the day first")
    studio.choose("Dates", "month first")
    studio.see("taken as days since 2023-01-02")
    studio.see("0 to 181")
    assert studio.severe() == []


def test_the_papers_walk_by_clicks_alone(studio):
    studio.press("Table")
    studio.press("expsine")
    studio.see("exp(sin(pi x) + y^2)")
    studio.press("Network")
    studio.press("Let the rows choose the shape")
    studio.see("taken, the simplest of the good ones")
    studio.write("Seed of the network", "3")
    studio.press("New network")
    studio.see("shape [2, 5, 1]")
    for button, seen in (
        ("Train, sparsely", "State 'fit'"),
        ("Prune", "shape [2, 1, 1]"),
        ("Train finer", "State 'fit 2'"),
    ):
        studio.press(button)
        studio.see(seen)
    for edge, function in (("0-0-0", "sin"), ("0-1-0", "x^2"), ("1-0-0", "exp")):
        studio.click(lambda e=edge: next(iter(studio.all(f'[data-edge="{e}"]')), None))
        studio.see(lambda e=edge: studio.all(f'[data-edge="{e}"].picked'))
        assert function in studio.marks(), "the functions that fit are drawn over the curve"
        if function == "exp":
            studio.picture("network")
        studio.press(f"Snap to {function}")
        studio.see(
            lambda e=edge, f=function: (
                f"edge {e}: {f}" in studio.all(f'[data-edge="{e}"]')[0].get_attribute("aria-label")
            )
        )
    studio.press("Train constants")
    studio.see("State 'fit 3'")
    studio.see("z = 1.0*exp(1.0*y**2 + 1.0*sin(3.14159*x))")
    studio.press("Undo")
    studio.see("State 'fix_symbolic 3'")
    studio.press("Redo")
    studio.see("State 'fit 3'")
    studio.press("Go to start")
    studio.see("shape [2, 5, 1]")
    assert studio.severe() == []


def test_it_is_taken_along(studio, tmp_path):
    studio.window.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    studio.press("Table")
    studio.press("planets")
    studio.see("Eight planets")
    studio.press("Search for the law")
    studio.see(lambda: studio.button("Search anew"))
    studio.press("Take along")
    studio.see("def law")
    studio.choose("Language", "LaTeX")
    studio.see("\\mathrm")
    for button, name in (("Report", "planets-report.html"), ("the front as PDF", "planets-front.pdf"),
                         ("predicted against measured as SVG", "planets-predicted.svg"),
                         ("Save the session", "planets-session.json")):  # fmt: skip
        studio.press(button)
        studio.see(lambda n=name: (tmp_path / n).is_file())  # under its name once it is whole
    studio.press("Table")
    studio.press("hubble")
    studio.see("galaxies")
    studio.bring(tmp_path / "planets-session.json")
    studio.see(lambda: "semi_major_axis" in studio.text() and "The law" in studio.text())


@pytest.mark.parametrize("look", ["light", "dark"])
def test_axe_finds_nothing(studio, look):
    studio.choose("Colours", look)
    for tab in studio.texts("[role=tab]"):
        studio.press(tab)
        assert axe(studio.window) == [], tab


def test_a_phone_does_not_scroll_sideways(studio):
    for tab in studio.texts("[role=tab]"):
        studio.press(tab)
        assert narrow(studio.window) <= 390, tab


def test_tabs_go_by_keys(studio):
    from selenium.webdriver.common.keys import Keys

    studio.open()
    studio.press("Table")
    studio.see(lambda: studio.texts(OPEN) == ["Table"])
    studio.see(lambda: [e.send_keys(Keys.ARROW_RIGHT) or e for e in studio.all(OPEN)])
    studio.see(lambda: studio.window.switch_to.active_element.text == "Law")
