"""One open page: its parts, when they are drawn again, and how a click becomes an action of the desk."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nicegui import html, run, ui

from kansym.base.errors import KansymError
from kansym.studio.folder import Folder

if TYPE_CHECKING:
    from kansym.studio.desk import Desk

Draw = Callable[[], None]

LINGER = 2.0
"""Seconds for which what was drawn anew still answers: a finger's press, or a message on a slow way."""


@dataclass
class Part:
    """Hold what is drawn again when the desk's topics have moved on from what was `seen`.

    `inside` are the parts that it drew, which go when it is drawn again; `tab` is where it stands.
    """

    topics: tuple[str, ...]
    again: Draw
    seen: int
    inside: list[Part]
    tab: str


class View:
    """Hold the parts of one page; `turn` opens a tab by its name, and `tab` is the one that is open.

    What stands in other tabs is drawn again when they are opened: a moving slider draws what is seen alone.

    The desk is shared with other pages. `load` gives it and may take seconds; what only needs the folder is
    drawn before it is there.
    """

    def __init__(self, folder: Folder, load: Callable[[], Desk]) -> None:
        self.folder = folder
        self._load = load
        self._desk: Desk | None = None
        self._parts: list[Part] = []
        self._drawing = self._parts
        self._past: list[tuple[float, ui.element]] = []
        self._folds: dict[str, Any] = {}
        self._unfolded: set[str] = set()
        self.said: Any = None
        self.tab = ""
        self.turn: Callable[[str], None] = lambda name: None

    @property
    def desk(self) -> Desk:
        """Return the desk, once :meth:`ready` has been awaited."""
        assert self._desk is not None
        return self._desk

    async def ready(self) -> bool:
        """Wait for the desk; tell whether there is one, which there is not while the server shuts down."""
        if self._desk is None:
            self._desk = await run.io_bound(self._load)
        return self._desk is not None

    def part(self, topics: tuple[str, ...], draw: Draw, classes: str = "") -> None:
        """Draw a part of the page here, and again whenever one of the topics changes."""
        box = ui.element("div")
        inside: list[Part] = []

        def again() -> None:
            inside.clear()
            self._leave(box)
            outer, self._drawing = self._drawing, inside
            try:
                with box, ui.element("div").classes(classes):
                    draw()
            finally:
                self._drawing = outer

        self._drawing.append(Part(topics, again, self._count(topics), inside, self.tab))
        again()

    def chart(
        self,
        topics: tuple[str, ...],
        options: Callable[[], dict[str, Any] | None],
        label: str,
        clicked: Callable[[Any], None] | None = None,
        classes: str = "",
    ) -> None:
        """Draw a chart here; it stays, and is given new options whenever one of the topics changes.

        `clicked` takes a point's value. None for options leaves the chart as it is.
        """
        press = None if clicked is None else (lambda event: clicked(event.value))
        shown = self.ask(options) or {}
        chart = ui.echart(shown, on_point_click=press, renderer="svg")
        chart.classes(f"chart {classes}").props["role"] = "img"
        chart.props["aria-label"] = label

        def again() -> None:
            from kansym.studio import charts  # with numpy, which the first page does not wait for

            nonlocal shown
            found = self.ask(options)
            if found is None:
                return
            moved, shown = charts.changed(shown, found), found
            if moved is None:
                chart.props["options"] = found
                chart.update()
            elif any(moved.values()):
                # by a message of its own: of a property every number would be watched, here and there
                chart.run_chart_method("setOption", moved)

        self._drawing.append(Part(topics, again, self._count(topics), [], self.tab))

    def line(self, topics: tuple[str, ...], text: Callable[[], str], classes: str) -> None:
        """Write a line here; it stays, and its text follows whenever one of the topics changes."""
        made = ui.label(text()).classes(classes)

        def again() -> None:
            made.text = text()

        self._drawing.append(Part(topics, again, self._count(topics), [], self.tab))

    def update(self) -> None:
        """Draw again what has changed."""
        self._refresh(self._parts)
        now = time.monotonic()
        while self._past and self._past[0][0] < now:
            former = self._past.pop(0)[1]
            if not former.is_deleted:
                former.delete()

    def _leave(self, box: ui.element) -> None:
        """Hide what a part has shown; a press that is on its way to it is still answered (see hands.js)."""
        for former in list(box):
            if "past" not in former.classes:
                former.classes("past")
                self._past.append((time.monotonic() + LINGER, former))

    def _refresh(self, parts: list[Part]) -> None:
        """Draw again those parts whose topics have moved on."""
        for part in list(parts):
            if part.tab not in ("", self.tab):
                continue
            now = self._count(part.topics)
            if now != part.seen:
                part.seen = now
                part.again()
            else:
                self._refresh(part.inside)

    def ask(self, question: Callable[[], Any]) -> Any:
        """Return an answer of the desk, or None where it refuses one."""
        try:
            return question()
        except KansymError:
            return None

    def do(self, action: Callable[..., Any], *args: Any) -> bool:
        """Do something at once; say the problem where it cannot be done. Tells whether it was done."""
        try:
            action(*args)
        except KansymError as problem:
            self.say(str(problem), bad=True)
            return False
        self.say("")
        self.update()
        return True

    async def work(self, task: Callable[..., Any], *args: Any) -> Any:
        """Return what a long task gives, done in another thread; None and the problem said where it fails."""
        self.say("working …")
        try:
            found = await run.io_bound(task, *args)
        except KansymError as problem:
            self.say(str(problem), bad=True)
            return None
        except MemoryError:
            self.say("Memory ran out; give fewer rows or columns.", bad=True)
            return None
        self.say("")
        return found

    async def done(self, task: Callable[..., Any], *args: Any) -> bool:
        """Do a long task in another thread; tell whether it was done."""

        def finished() -> bool:
            task(*args)
            return True

        found = await self.work(finished)
        self.update()
        return bool(found)

    def folded(self, title: str) -> Any:
        """Draw what folds; it stays as it was left when it is drawn again."""
        box = self._folds[title] = html.details()
        box.props["open"] = title in self._unfolded

        def turned(event: Any) -> None:
            (self._unfolded.add if event.args else self._unfolded.discard)(title)
            now = self._folds[title]
            if now is not box:  # it was drawn again before this was heard
                now.props["open"] = bool(event.args)

        box.on("toggle", turned, js_handler="e => emit(e.target.open)")
        with box:
            html.summary(title)
        return box

    def say(self, text: str, bad: bool = False) -> None:
        """Show a sentence in the line that screen readers read out."""
        if self.said is not None:
            self.said.text = text
            self.said.classes(replace=f"said {'bad' if bad else 'hint'}")

    def _count(self, topics: tuple[str, ...]) -> int:
        """Return how often these topics have changed; never, before there is a desk."""
        return 0 if self._desk is None else sum(self._desk.changes[topic] for topic in topics)


def button(
    text: str,
    pressed: Callable[..., Any],
    classes: str = "",
    label: str = "",
    on: bool = True,
) -> Any:
    """Draw a button; `label` says more to screen readers, `on` whether it can be pressed."""
    made = html.button(text).classes(classes).on("click", pressed)
    made.props["type"] = "button"
    if label:
        made.props["aria-label"] = label
    if not on:
        made.props["disabled"] = True
    return made


def select(
    label: str, options: dict[str, str], value: str, changed: Callable[[str], Any], shown: bool = True
) -> Any:
    """Draw a choice among values with their words; the label is shown, or only read out."""
    with _labelled(label, shown):
        made = html.select()
        made.props["aria-label"] = label
        with made:
            for key, word in options.items():
                option = html.option(word)
                option.props["value"] = key
                if key == value:
                    option.props["selected"] = True
        made.on("change", lambda event: changed(str(event.args)), js_handler="e => emit(e.target.value)")
    return made


def field(
    label: str,
    value: str,
    changed: Callable[[str], Any],
    hint: str = "",
    wide: bool = False,
    shown: bool = True,
) -> Any:
    """Draw a line of text, or several where `wide`; what is written is told when it is done."""
    with _labelled(label, shown):
        made = html.textarea(value) if wide else html.input_()
        made.props["aria-label"] = label
        made.props["placeholder"] = hint
        made.props["spellcheck"] = "false"
        if wide:
            made.props["rows"] = 3
            made.props["cols"] = 44
        else:
            # "value" would be written again whenever the page is patched, over what is being typed
            made.props["defaultValue"] = value
        made.on("change", lambda event: changed(str(event.args)), js_handler="e => emit(e.target.value)")
    return made


def check(label: str, value: bool, changed: Callable[[bool], Any], shown: str = "") -> Any:
    """Draw a box to tick; a shorter word than the label may be shown beside it."""
    with html.label().classes("check"):
        made = html.input_()
        made.props["type"] = "checkbox"
        made.props["checked"] = value
        made.props["aria-label"] = label
        made.on("change", lambda event: changed(bool(event.args)), js_handler="e => emit(e.target.checked)")
        html.span(shown or label)
    return made


def table(heads: list[tuple[str, str]], classes: str = "") -> Any:
    """Draw a table's head, and return its body to be filled; a head is a word and a class."""
    with (
        ui.element("div").classes("scroll").props('tabindex="0" role="region" aria-label="table"'),
        html.table().classes(classes),
    ):
        with html.thead(), html.tr():
            for word, kind in heads:
                html.th(word).classes(kind).props["scope"] = "col"
        return html.tbody()


def _labelled(label: str, shown: bool) -> Any:
    """Return the box of a field, with its label where that is shown."""
    box = html.label().classes("field")
    if shown:
        with box:
            html.span(label)
    return box
