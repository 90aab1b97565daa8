"""Say what is known beforehand: functions, hypotheses, formulas, noise, time; and start the search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from nicegui import html, ui

from kansym.base.errors import InputError
from kansym.studio.page.view import View, button, check, field, select

NOISE = {
    "auto": "told from the rows",
    "additive": "the same everywhere",
    "relative": "grows with the value",
    "poisson": "of counts",
    "log": "a factor up or down",
    "share": "of a counted share, 0 to 1",
    "percent": "of a counted share, 0 to 100",
}
ROBUST = {"auto": "where they are no part of the noise", "on": "all far ones", "off": "never"}
LOSS = {"squared": "squares", "absolute": "absolute errors", "huber": "Huber", "quantile:0.5": "the median",
        "quantile:0.9": "the 90 % quantile"}  # fmt: skip


def draw(view: View) -> None:
    """Draw what is known about the table, folded where it is seldom needed."""
    view.part(("question", "table"), lambda: _draw(view))


def _draw(view: View) -> None:
    """Draw the whole form where there is a table to ask about."""
    if view.desk.opened is None:
        return
    html.h2("What is known beforehand, if anything")
    asked = view.desk.question

    def setting(name: str, read: Callable[[str], Any] = str) -> Callable[[str], None]:
        def changed(text: str) -> None:
            view.do(lambda: view.desk.ask(replace(view.desk.question, **{name: _read(name, text, read)})))

        return changed

    with ui.element("div").classes("row-of"):
        field("At most so many seconds", _plain(asked.time_limit), setting("time_limit", _number))
        select("Noise", NOISE, asked.noise, setting("noise"))
        select("Rows far off are left out", ROBUST, asked.robust, setting("robust"))
        error = _plain(asked.relative_error)
        field("Error of the target, as a share", error, setting("relative_error", _number),
              "such as 0.01")  # fmt: skip
    with view.folded("Hypotheses and formulas of your own"), ui.element("div").classes("row-of"):
        field("Hypotheses, one a line", "\n".join(asked.hypotheses), setting("hypotheses", _lines),
              "x1 - x2, linear: x3, last: exp, y = f(x1)*g(x2)", wide=True)  # fmt: skip
        field("Formulas to try, one a line", "\n".join(asked.guesses), setting("guesses", _lines),
              "V*S/(K + S); K > 0", wide=True)  # fmt: skip
    words = "Functions that may be used"
    with view.folded(words), ui.element("div").classes("chips").props(f'role="group" aria-label="{words}"'):
        for name in _functions():
            _chip(view, name, name not in asked.exclude)
    with view.folded("More"), ui.element("div").classes("row-of"):
        select("What is made small", LOSS, asked.loss, setting("loss"))
        field("Largest complexity", str(asked.maxsize), setting("maxsize", int))
        field("Work, 1 is usual", _plain(asked.effort), setting("effort", float))
        field("Seed", str(asked.seed), setting("seed", int))
        for name, words in (("rounding", "Write constants as 3/2 or π where the rows allow it"),
                            ("unit_constants", "Constants may have units")):  # fmt: skip
            check(words, getattr(asked, name), partial(_switched, view, name))


def _switched(view: View, name: str, on: bool) -> None:
    """Switch a setting on or off."""
    changed: dict[str, Any] = {name: on}
    view.do(lambda: view.desk.ask(replace(view.desk.question, **changed)))


def _chip(view: View, name: str, used: bool) -> None:
    """Draw a function that a press forbids or allows."""

    def pressed() -> None:
        asked = view.desk.question
        rest = tuple(n for n in asked.exclude if n != name)
        changed = replace(asked, exclude=rest if name in asked.exclude else (*rest, name))
        if view.do(lambda: view.desk.ask(changed)):
            made.props["aria-pressed"] = "false" if name in changed.exclude else "true"

    made = button(name, pressed)
    made.props["aria-pressed"] = "true" if used else "false"


def _functions() -> list[str]:
    """Return the names of the library's functions."""
    from kansym.functions.library import Library

    return [name for name in Library.load("default") if name != "x"]


def _read(name: str, text: str, read: Callable[[str], Any]) -> Any:
    """Return a setting from its text; raises InputError for what is none."""
    try:
        return read(text)
    except ValueError:
        raise InputError(
            f"{text!r} is no number for {name.replace('_', ' ')}; write one such as 60."
        ) from None


def _number(text: str) -> float | None:
    """Return a number, None for nothing."""
    return float(text) if text.strip() else None


def _lines(text: str) -> tuple[str, ...]:
    """Return the lines that hold something."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _plain(value: float | None) -> str:
    """Return a number as it stands in a field."""
    return "" if value is None else f"{value:g}"
