"""Steer a network: train, prune, click an edge, choose its function, go back, branch, compare."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from nicegui import html, ui

from kansym.data.dataset import Dataset
from kansym.studio import charts
from kansym.studio.charts import Line
from kansym.studio.page.formula import as_network, typeset
from kansym.studio.page.view import View, button, field, table

if TYPE_CHECKING:
    from kansym.studio.walk import Walk

SPARSE = 1e-2
"""Weight of the paper's sparsity penalty (2.20) in its own walk."""

STEPS = 60
"""Steps of Levenberg-Marquardt of one press: a second or two for a small network."""

FINE = (10, 20, 40)
"""Grids, in cells, of a finer look."""


def draw(view: View) -> None:
    """Draw the whole tab."""
    html.h2("Steer a network")
    view.part(("table", "walk"), lambda: _begin(view))
    view.part(("walk",), lambda: _state(view))
    with ui.element("div").classes("two"):
        view.part(("walk",), lambda: _picture(view))
        view.part(("walk",), lambda: _edge(view))
    view.part(("walk",), lambda: _states(view))
    as_network(view)


def _begin(view: View) -> None:
    """Draw what begins a new network."""
    desk = view.desk
    if desk.opened is None:
        html.p("Bring a table first.").classes("hint")
        return
    asked = {"hidden": "5", "seed": "0"}

    async def begun() -> None:
        """Begin a walk with a new network."""
        from kansym.studio.walk import Walk

        try:
            hidden = [int(part) for part in asked["hidden"].replace(",", " ").split()]
            seed = int(asked["seed"])
        except ValueError:
            view.say(f"{asked['hidden']!r} are no widths; write 5, or 5 2 for two levels.", bad=True)
            return
        await taken(lambda rows: Walk.begin(rows, hidden, seed))

    async def chosen() -> None:
        """Begin a walk with a network whose shape the rows choose."""
        from kansym.studio.walk import Walk

        await taken(lambda rows: Walk.chosen(rows, int(asked["seed"]) if asked["seed"].isdigit() else 0))

    async def taken(make: Callable[[Dataset], Walk]) -> None:
        """Make a walk of the table's rows in another thread, and put it on the desk."""
        dataset = await view.work(desk.prepared)
        walk = None if dataset is None else await view.work(make, dataset)
        if walk is not None:
            desk.walk = walk
            desk.touch("walk")
            view.update()

    with ui.element("div").classes("row-of"):
        field("Hidden nodes of each level", asked["hidden"], lambda text: asked.update(hidden=text))
        field("Seed of the network", asked["seed"], lambda text: asked.update(seed=text))
        button("New network", begun, "" if desk.walk else "main")
        button("Let the rows choose the shape", chosen)


def presser(view: View, *steps: tuple[Any, ...]) -> Callable[[], Any]:
    """Return what a button does that presses buttons of the walk, one after the other, in another thread.

    A step is the name of a method of the walk, its arguments, and options in a dict at the end.
    """

    async def pressed() -> None:
        """Take the steps in turn until one of them fails."""
        walk = view.desk.walk
        if walk is None:
            return
        if view.desk.steering:
            view.say("The network is being worked on; wait for it.", bad=True)
            return
        view.desk.steering = True
        try:
            for name, *args in steps:
                options = args.pop() if args and isinstance(args[-1], dict) else {}
                if not await view.done(partial(getattr(walk, name), *args, **options)):
                    break
        finally:
            view.desk.steering = False
            view.desk.touch("walk")
            view.update()

    return pressed


def _state(view: View) -> None:
    """Draw the state, the buttons that change it, and the formula where every edge has a function."""
    walk = view.desk.walk
    if walk is None:
        return

    def named(text: str) -> None:
        """Keep what the state that the next button makes is to be called."""
        walk.next_name = text.strip()

    html.p(f"State {walk.session.name!r}: shape {walk.model.shape}, {walk.model.parameters} numbers, "
           f"off by {walk.error:.3g} of the spread.").classes("network-state")  # fmt: skip
    with ui.element("div").classes("row-of"):
        button("Train, sparsely", presser(view, ("press", "fit", {"steps": 100, "lamb": SPARSE})), "main")
        button("Prune", presser(view, ("press", "prune")))
        button("Train finer", presser(view, ("press", "fit", {"grids": list(FINE), "steps": STEPS})))
        button("Train constants", presser(view, ("press", "fit", {"steps": STEPS, "tolerance": 0.0})))
        button("Snap the next edge", presser(view, ("next_snap",)))
        button("Undo", presser(view, ("undo",)), on=walk.session.states[walk.session.name].parent is not None)
        button("Redo", presser(view, ("redo",)), on=walk.session.can_redo)
        field("Name of the next state", walk.next_name, named, "such as sparse")
    for line in walk.told:
        html.p(line).classes("hint")
    formula = walk.formula()
    if formula is not None:
        typeset(formula, walk.target, walk.model.names)
        html.code(f"{walk.target} = {formula}")
        button("Put it on the front", lambda: view.do(view.desk.try_formula, str(formula), view.desk.dataset))


def _picture(view: View) -> None:
    """Draw the network, each edge of which can be clicked."""
    walk = view.desk.walk
    if walk is None:
        return

    async def picked(event: Any) -> None:
        with contextlib.suppress(ValueError):
            l, i, j = (int(part) for part in str(event.args).split("-"))
            await presser(view, ("take", (l, i, j)))()  # fits every function to the curve

    said = "Inputs at the bottom. Blue curves are splines, red ones functions; faint ones matter little."
    html.p(said).classes("hint")
    box = ui.element("div").classes("network-box steered")
    with box:
        ui.html(walk.picture(), sanitize=False)
    find = "const g = e.target.closest('[data-edge]'); if (g) emit(g.dataset.edge);"
    box.on("click", picked, js_handler=f"e => {{ {find} }}")
    keys = f"if (e.key === 'Enter' || e.key === ' ') {{ e.preventDefault(); {find} }}"
    box.on("keydown", picked, js_handler=f"e => {{ {keys} }}")


def _edge(view: View) -> None:
    """Draw the edge in the hand with the functions that fit it."""
    walk = view.desk.walk
    if walk is None or walk.place is None:
        if walk is not None:
            html.p("Click an edge to see which functions fit its curve.").classes("hint")
        return
    curve = next(c for c in walk.curves() if c.place == walk.place)
    l, i, j = walk.place
    what = curve.function or "a spline"
    source = walk.model.names[i] if l == 0 else f"node {i + 1} of level {l}"
    to = walk.target if l == len(walk.model.shape) - 2 else f"node {j + 1} of level {l + 1}"
    html.h3(f"The edge from {source} to {to}: {what}, importance {curve.importance:.2f}")
    fits = [
        Line(match.function.name, curve.x, walk.fitted(match), colour, True)
        for match, colour in zip(walk.matches, charts.MANY, strict=False)
    ]
    with html.figure():
        title = f"The edge's curve and {', '.join(line.name for line in fits) or 'no function'}"
        view.chart(
            (), lambda: charts.overlaid(Line("edge", curve.x, curve.y), fits, title), title, classes="tall"
        )
    html.p("Each function as it fits the curve; a name above the picture hides or shows it.").classes("hint")
    body = table([("", ""), ("function", ""), ("leaves", "n"), ("size", "n")])
    with body:
        for match in walk.matches:
            with html.tr():
                with html.td():
                    name = match.function.name
                    button("Snap", presser(view, ("snap", name)), label=f"Snap to {name}")
                with html.td():
                    html.code(name)
                html.td(f"{match.relative_rmse:.2g}").classes("n")
                html.td(str(match.function.complexity)).classes("n")
    with ui.element("div").classes("row-of"):
        button("Free" if walk.locked else "Lock", presser(view, ("lock", not walk.locked)))
        button("Spline again", presser(view, ("free",)))
        button("Remove", presser(view, ("cut",)))


def _states(view: View) -> None:
    """Draw the states by name, each of which can be gone to."""
    walk = view.desk.walk
    if walk is None or len(walk.session.states) < 2:
        return
    html.h2("States")
    words = [(word, "") for word in ("go", "state", "from", "step", "shape")]
    body = table([*words, ("numbers", "n"), ("error", "n")])
    with body:
        for row in walk.compared():
            with html.tr().classes("picked" if row["name"] == walk.session.name else ""):
                with html.td():
                    button("▷", presser(view, ("go", row["name"])), label=f"Go to {row['name']}")
                for key in ("name", "parent", "step", "shape"):
                    html.td(str(row[key]))
                html.td(str(row["parameters"])).classes("n")
                html.td(f"{row['share']:.3g}").classes("n")
