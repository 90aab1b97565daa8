"""Watch the search: buttons, time, what is tried, the front as it grows."""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import html

from kansym.studio import drawing
from kansym.studio.desk import FAILED, OVER, PAUSED, SEARCHING
from kansym.studio.page.view import View, button, table

STAGES = {
    "starting": "getting ready",
    "plain": "the plainest formulas of few rows",
    "few rows": "short formulas, as few rows allow",
    "few rows of one column": "short formulas, as few rows allow",
    "tree": "taking the problem apart: ratios, products, differences",
    "deep tree": "taking the problem apart with more patience",
    "tree in noise": "taking the problem apart as far as noise allows",
    "transforms in noise": "the same for functions of the target",
    "ridges": "products of columns times one curve, the likeliest first",
    "pursuit": "sums of products, among many columns",
    "classics": "comparing with familiar curves",
    "curves": "sums and products of familiar curves",
    "template": "filling in your form",
    "categories": "one law with constants for each category",
    "structure": "looking for columns that act together",
    "pade": "ratios of polynomials",
    "enumeration": "trying short formulas one after the other",
    "network": "training networks and reading their curves",
    "separable": "parts for each column",
    "going on": "going on where it was",
}
"""Plain words for what a search is at; others are shown as they are called."""


def draw(view: View) -> None:
    """Draw the buttons, and how it goes."""
    view.part(("search", "question", "table"), lambda: _buttons(view), "row-of")
    view.part(("search", "live"), lambda: _progress(view))


def front(view: View) -> None:
    """Draw the front, as a picture and as a table."""
    html.h2("Accuracy against simplicity")
    view.chart(
        ("search", "front", "run", "law"), lambda: drawing.front(view.desk),
        "Error on held-out rows against complexity; the table of formulas says the same",
        lambda value: _picked(view, value), "tall",
    )  # fmt: skip
    view.part(("search", "front", "run", "law"), lambda: _rows(view))


async def begin(view: View) -> None:
    """Read the columns as they were chosen, search, and turn to where that can be watched."""
    dataset = await view.work(view.desk.prepared)
    if dataset is not None and view.do(view.desk.begin, dataset):
        view.turn("Law")


def starter(view: View) -> None:
    """Draw the button that starts a search and turns to where it can be watched."""
    view.part(("search", "table"), lambda: _starter(view), "row-of")


def _starter(view: View) -> None:
    """Draw the button where there is a table."""
    if view.desk.opened is not None:
        button("Search for the law", partial(begin, view), "main", on=not view.desk.searching)


def _buttons(view: View) -> None:
    """Draw what can be done now: search, pause, stop, go on."""
    desk = view.desk
    if desk.searching:
        button("Pause", lambda: view.do(desk.stop, True), on=desk.state == SEARCHING)
        button("Stop", lambda: view.do(desk.stop), on=desk.state == SEARCHING)
        button(
            "End at once", lambda: view.do(desk.kill), label="End the search at once, without its last words"
        )
        return
    words = "Search for the law" if desk.run is None else "Search anew"
    button(words, partial(begin, view), "main", on=desk.opened is not None)
    if desk.state in (PAUSED, OVER, FAILED) and desk.checkpoint is not None:
        words = "Go on with what is allowed now" if desk.asks_anew else "Go on"
        button(words, lambda: view.do(desk.go_on))


def _progress(view: View) -> None:
    """Draw how far the search is, in plain words."""
    desk = view.desk
    if desk.message:
        html.p(desk.message).classes("bad").props('role="alert"')
    if desk.searching:
        left = "" if desk.live.left is None else f", at most {desk.live.left:.0f} s more"
        stage = STAGES.get(desk.live.stage, desk.live.stage)
        doing = stage if desk.state == SEARCHING else "finishing with the best so far"
        html.p(f"{desk.live.seconds:.1f} s{left}: {doing}").classes("busy")
    elif desk.process.busy:
        html.p("Fitting the formula.").classes("busy")
    elif desk.run is not None and desk.state:
        word = {PAUSED: "Paused", OVER: "Over"}.get(desk.state, "Ended")
        html.p(f"{word} after {desk.run.seconds:.1f} s: {desk.run.stop_reason}.").classes("hint")


def _picked(view: View, value: Any) -> None:
    """Take the row of the front whose point was clicked."""
    if isinstance(value, list) and len(value) > 2:
        view.do(view.desk.choose, int(value[2]))


def _rows(view: View) -> None:
    """Draw the front as a table."""
    desk = view.desk
    points = drawing.points(desk)
    now = desk.live_row if desk.growing else desk.row
    if not points:
        return
    html.h2("Formulas")
    body = table([("show", ""), ("beside", ""), ("size", "n"), ("error", "n"), ("formula", "")])
    with body:
        for row, (size, error, text) in enumerate(points):
            _row(view, (size, error, text), row, now)


def _row(view: View, point: tuple[int, float, str], row: int, now: int | None) -> None:
    """Draw one row of it, which a click takes in the hand."""
    (size, error, text), desk = point, view.desk
    growing = desk.growing
    line = html.tr()
    line.props["data-row"] = row
    line.classes("picked" if row == now else "other" if row == desk.other and not growing else "")
    line.on("click", lambda: view.do(desk.pick, text, row))
    with line:
        with html.td():
            shown = button("▶" if row == now else "▷", lambda: view.do(desk.pick, text, row),
                           label=f"Show the formula of complexity {size}")  # fmt: skip
            shown.props["aria-pressed"] = "true" if row == now else "false"
            shown.on("click", js_handler="e => e.stopPropagation()")
        with html.td():
            if row != now and not growing:
                beside = button("⇄", lambda: None, label=f"Compare with the formula of complexity {size}")
                beside.on("click.stop", lambda: view.do(desk.compare, None if row == desk.other else row))
                beside.props["aria-pressed"] = "true" if row == desk.other else "false"
        html.td(str(size)).classes("n")
        html.td("0 (exact)" if error == 0 else f"{error:.3g}").classes("n")
        with html.td().classes("eq"):
            shorter = drawing.shortened(text)
            html.code(shorter if len(shorter) <= 160 else shorter[:159] + "…")
