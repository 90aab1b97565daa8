"""The law in the hand: typeset, with its constants on sliders, through the rows, beside another one."""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import html, ui

from kansym.judge.verdict import NOISE, STRUCTURE
from kansym.pipeline.run import Law
from kansym.studio import drawing
from kansym.studio.bench import Handle, parting
from kansym.studio.page import search
from kansym.studio.page.formula import as_network, typeset
from kansym.studio.page.view import View, button, check, field

TICKS = 200
"""Steps of a slider."""

TOPICS = ("law", "theta", "front", "search")
"""What pictures of a law follow."""


def draw(view: View) -> None:
    """Draw the law and everything that follows it: what a hand moves beside what it moves."""
    view.part(("search", "front", "law", "run"), lambda: _formula(view))
    with ui.element("div").classes("two"):
        with ui.element("div"):
            view.part(("run", "search", "table"), lambda: _through(view))
            view.part(("law", "search"), lambda: _constants(view))
        with ui.element("div"):
            search.front(view)
            view.part(("law", "search", "table"), lambda: _own(view))
    view.part(("run", "search", "table"), lambda: _others(view))
    as_network(view)


def _formula(view: View) -> None:
    """Draw the formula: the best so far, or the one in the hand with what is said of it."""
    desk = view.desk
    if desk.growing:
        if desk.live_row is not None and desk.dataset is not None:
            from kansym.functions.parsing import parse_expression

            size, error, text = desk.live.front[desk.live_row]
            best = desk.live_row == len(desk.live.front) - 1
            html.h2(f"{'The best' if best else 'Row of the front'} so far, complexity {size}")
            typeset(parse_expression(text, desk.dataset.names), desk.dataset.target, desk.dataset.names)
            html.p(f"Off by {error:.3g} of the spread on held-out rows.").classes("hint")
        return
    law = desk.law
    if law is None or desk.run is None:
        return
    chosen = desk.row == desk.run.chosen
    html.h2(_title(view, chosen))
    target, names = str(desk.run.data["target"]), desk.run.names
    formula = law.expression if desk.bench is None or not desk.moved else desk.bench.expression(desk.theta)
    typeset(formula, target, names)
    if law.family and law.form:
        html.p(f"{law.family}: {law.form}").classes("hint")
    if chosen and desk.run.trust:
        html.p(desk.run.trust)
    for note in (law.note, *(desk.run.data["notes"] if chosen else ())):
        if note:
            html.p(note).classes("hint")
    if desk.other is not None:
        _beside(view, desk.run.front[desk.other])


def _title(view: View, chosen: bool) -> str:
    """Return what the formula is called: the law only where one was found."""
    desk = view.desk
    assert desk.run is not None
    if desk.moved:
        return "With constants set by hand"
    if not chosen:
        return f"Row {desk.row + 1} of the front, not the chosen one"
    if desk.run.verdict.kind in (STRUCTURE, NOISE):
        return "No law was found; the best description"
    return "The law"


def _beside(view: View, other: Law) -> None:
    """Draw the formula that is compared, and say where the two part most."""
    desk = view.desk
    assert desk.run is not None
    html.h3("Beside it")
    typeset(other.expression, str(desk.run.data["target"]), desk.run.names, "other")
    law = desk.law
    if law is None or desk.dataset is None:
        return
    found = parting(law, other, desk.dataset.select(desk.run.names))
    if found is not None:
        place = ", ".join(f"{n} = {v:.4g}" for n, v in zip(desk.run.names, found[0], strict=True))
        html.p(f"Within the data's ranges the two part most, by {found[1]:.3g}, at {place}.").classes("hint")


def _constants(view: View) -> None:
    """Draw a line for each constant, and what can be done with them."""
    desk = view.desk
    if desk.searching or desk.bench is None or desk.run is None:
        return
    html.h2("Constants")
    check("Rounded where the rows allow it", desk.rounded, lambda on: view.do(desk.round, on))
    if not desk.bench.handles:
        html.p("This formula has no constants.").classes("hint")
        return
    for k, handle in enumerate(desk.bench.handles):
        _constant(view, k, handle)
    if desk.dataset is None:
        return
    view.line(("theta", "law"), lambda: drawing.off(desk), "loss")
    with ui.element("div").classes("row-of"):
        button("Fit the others", lambda: view.do(desk.refit))
        button("Put back", lambda: view.do(desk.reset))
        button("Keep as a row", lambda: view.do(desk.keep))


def _constant(view: View, k: int, handle: Handle) -> None:
    """Draw one constant: its value, error, slider, and whether it is held."""
    desk = view.desk
    now = float(desk.theta[k])
    low, high = min(handle.low, now), max(handle.high, now)

    def moved(event: Any) -> None:
        """Move the constant to where its slider is."""
        view.do(desk.move, k, float(event.args))

    def typed(text: str) -> None:
        """Set the constant to the number that was written."""
        try:
            value = float(text)
        except ValueError:
            view.say(f"{text!r} is no number; write one such as 1.5.", bad=True)
            return
        view.do(desk.move, k, value)
        view.do(desk.hold, k, True)
        desk.touch("law")
        view.update()

    with ui.element("div").classes("constant"):
        html.code(handle.name)
        number = field(f"Value of {handle.name}", f"{now:.7g}", typed, shown=False)
        number.props["size"] = 13
        number.props["inputmode"] = "decimal"
        error = f"± {handle.error:.2g}" if handle.error else ""
        html.span(f"{error} → {handle.exact}" if handle.exact else error).classes("n")
        slider = html.input_()
        slider.props.update(type="range", min=low, max=high, step=(high - low) / TICKS, defaultValue=now)
        slider.props["aria-label"] = f"Move {handle.name}"
        # the number follows in the browser: sent back, it would come after the hand has gone on
        shown = f"getHtmlElement({number.id}).value = +Number(e.target.value).toPrecision(7)"
        slider.on("input", js_handler=f"e => {{ {shown}; }}")
        slider.on("input", moved, js_handler="e => emit(e.target.value)", throttle=0.04)
        held = partial(view.do, desk.hold, k)
        check(f"Hold {handle.name}", k in desk.held, held, "hold")


def _own(view: View) -> None:
    """Draw where a formula of one's own is written."""
    desk = view.desk
    if desk.searching or desk.opened is None:
        return
    html.h2("A formula of your own")
    text = {"written": ""}

    async def tried() -> None:
        """Fit the formula that was written, and place it on the front."""
        if not text["written"].strip():
            view.say("Write a formula first, such as a*x + b.", bad=True)
            return
        dataset = desk.dataset or await view.work(desk.prepared)
        if dataset is not None:
            view.do(desk.try_formula, text["written"], dataset)

    with ui.element("div").classes("row-of"):
        field("Names that are no columns are constants to be fitted", "", lambda t: text.update(written=t),
              "V*S/(K + S); K > 0", wide=True)  # fmt: skip
        button("Fit it and place it on the front", tried)


def _through(view: View) -> None:
    """Draw the law through the rows along its first input."""
    desk = view.desk
    names = drawing.inputs(desk)
    if desk.dataset is None or not names:
        return
    html.h2("Against the data")
    _along(view, names[0], "tall")
    html.p(drawing.legend(desk)).classes("hint")


def _others(view: View) -> None:
    """Draw what the law leaves, the law along the other inputs, and its values against the measured ones."""
    desk = view.desk
    names = drawing.inputs(desk)
    if desk.dataset is None or not names:
        return
    html.h2("What it leaves")
    with ui.element("div").classes("grid"):
        with html.figure():
            _left(view, names[0])
        with html.figure():
            label = "The formula's values against the measured ones"
            view.chart(TOPICS, lambda: drawing.predicted(desk), label)
    if len(names) > 1:
        html.h2("Along the other inputs")
        with ui.element("div").classes("grid"):
            _panels(view, names[1 : drawing.PANELS])
    if len(names) > drawing.PANELS:
        more = ui.expansion(f"{len(names) - drawing.PANELS} more inputs").classes("more")
        with more, ui.element("div").classes("grid"):
            _panels(view, names[drawing.PANELS :])


def _panels(view: View, names: list[str]) -> None:
    """Draw the pictures along these inputs."""
    for name in names:
        with html.figure():
            _along(view, name)
            _left(view, name, "low")


def _along(view: View, name: str, classes: str = "") -> None:
    """Draw the law along an input."""
    view.chart(TOPICS, partial(drawing.curve, view.desk, name), f"The formula along {name}", classes=classes)


def _left(view: View, name: str, classes: str = "") -> None:
    """Draw what the law leaves along an input."""
    made = partial(drawing.residuals, view.desk, name)
    view.chart(TOPICS, made, f"Residuals against {name}", classes=classes)
