"""The columns of a table: what each is, and the part that it plays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from nicegui import html, ui

from kansym.studio.columns import Profile
from kansym.studio.desk import Opened
from kansym.studio.page.bring import open_table
from kansym.studio.page.view import View, field, select, table
from kansym.studio.question import PARTS

WORDS = {
    "input": "explains",
    "target": "is explained",
    "sigma": "error of the target",
    "group": "group of rows",
    "category": "category",
    "unused": "left out",
}
"""What a column's part is called on the page."""

KINDS = {"number": "numbers", "date": "dates", "category": "categories", "text": "words", "empty": "nothing"}
"""What a column's type is called on the page."""

WRITTEN = {
    "decimal": ("Decimal sign", {".": "point", ",": "comma"}),
    "thousands": ("Thousands sign", {".": "point", ",": "comma", "'": "apostrophe", " ": "blank"}),
    "dates": ("Dates", {"day-first": "day first", "month-first": "month first"}),
}
"""How numbers and dates may be written, by the names in `data.writing.WRITING`."""

MOST_SHOWN = 60
"""Columns that are listed; more are left to the command line."""


def draw(view: View) -> None:
    """Draw the columns of the table on the desk."""
    view.part(("table", "question"), lambda: _columns(view))


def _columns(view: View) -> None:
    """Draw the table's name and one line for each column."""
    opened = view.desk.opened
    if opened is None:
        return
    card = opened.table.card
    html.h2(f"{opened.name}: {opened.table.rows:,} rows")
    if card is not None and card.title:
        html.p(card.title).classes("hint")
    if card is None:
        _writing(view, opened)
    heads = [
        ("column", ""),
        ("type", ""),
        ("part", ""),
        ("unit", ""),
        ("range", "n"),
        ("gaps", "n"),
        ("values", ""),
        ("", ""),
    ]
    body = table(heads, "columns")
    with body:
        for profile in opened.profiles[:MOST_SHOWN]:
            _column(view, profile)
    if len(opened.profiles) > MOST_SHOWN:
        html.p(f"{MOST_SHOWN} of {len(opened.profiles)} columns are listed.").classes("hint")
    if opened.table.notes:
        with html.details() as notes:
            notes.props["open"] = True
            html.summary("What was repaired on reading")
            with html.ul():
                for note in opened.table.notes:
                    html.li(note)


def _writing(view: View, opened: Opened) -> None:
    """Draw how numbers and dates are written, which a person may know where the cells do not tell."""

    def said(name: str) -> Callable[[str], Any]:
        async def chosen(sign: str) -> None:
            kept = {n: s for n, s in opened.writing.items() if n != name}
            await open_table(view, opened.name, {**kept, name: sign} if sign else kept)

        return chosen

    with ui.element("div").classes("row-of"):
        for name, (label, signs) in WRITTEN.items():
            select(label, {"": "as it shows", **signs}, opened.writing.get(name, ""), said(name))


def _column(view: View, profile: Profile) -> None:
    """Draw one column: its part, unit, range, gaps and histogram."""
    desk, question = view.desk, view.desk.question
    parts = [p for p in PARTS if profile.numeric or p in ("group", "category", "unused")]

    def given(part: str) -> None:
        view.do(lambda: desk.ask(desk.question.with_part(profile.name, part)))

    def measured(unit: str) -> None:
        units = {**desk.question.units, profile.name: unit.strip()}
        view.do(lambda: desk.ask(replace(desk.question, units=units)))

    with html.tr():
        with html.td():
            html.code(profile.name)
        html.td(KINDS[profile.kind]).classes("fact")
        with html.td():
            words, now = {p: WORDS[p] for p in parts}, question.parts.get(profile.name, "unused")
            select(f"Part of {profile.name}", words, now, given, shown=False)
        with html.td():
            if profile.numeric:
                unit = question.units.get(profile.name, profile.unit)
                field(f"Unit of {profile.name}", unit, measured, shown=False).props["size"] = 7
        html.td(_range(profile)).classes("n")
        html.td(f"{profile.gaps:,}" if profile.gaps else "–").classes("n gaps" if profile.gaps else "n none")
        with html.td():
            if profile.bars:
                ui.html(bars(profile.bars), sanitize=False)
                if profile.log:
                    html.span("on a logarithmic scale").classes("fact")
            else:
                html.span(", ".join(profile.words)[:60]).classes("fact")
        html.td(profile.about).classes("fact")


def _range(profile: Profile) -> str:
    """Return a column's range in words."""
    if profile.low is None or profile.high is None:
        return f"{profile.different} words" if profile.different else "empty"
    return f"{profile.low:.4g} to {profile.high:.4g}".replace("-", "−")


def bars(counts: Sequence[int]) -> str:
    """Return a histogram as one small SVG element."""
    most, wide = max(counts) or 1, 112 / len(counts)
    tall = [24 * n / most for n in counts]
    parts = [
        f'<rect x="{i * wide:.1f}" y="{25 - h:.1f}" width="{wide - 1:.1f}" height="{h:.1f}"/>'
        for i, h in enumerate(tall)
        if h
    ]
    return f'<svg class="bars" viewBox="0 0 112 26" aria-hidden="true">{"".join(parts)}</svg>'
