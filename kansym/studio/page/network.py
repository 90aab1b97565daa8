"""Steer a network: train, prune, click an edge, choose its function, go back, branch, compare."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import html, ui

from kansym.studio import charts
from kansym.studio.charts import SOFT, Axis, Line
from kansym.studio.page.formula import as_network, typeset
from kansym.studio.page.view import View, button, field, table

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

        dataset = await view.work(desk.prepared)
        if dataset is None:
            return
        try:
            hidden = [int(part) for part in asked["hidden"].replace(",", " ").split()]
            seed = int(asked["seed"])
        except ValueError:
            view.say(f"{asked['hidden']!r} are no widths; write 5, or 5 2 for two levels.", bad=True)
            return
        walk = await view.work(Walk.begin, dataset, hidden, seed)
        if walk is not None:
            desk.walk = walk
            desk.touch("walk")
            view.update()

    with ui.element("div").classes("row-of"):
        field("Hidden nodes of each level", asked["hidden"], lambda text: asked.update(hidden=text))
        field("Seed of the network", asked["seed"], lambda text: asked.update(seed=text))
        button("New network", begun, "" if desk.walk else "main")


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
    box = ui.element("div").classes("network-box")
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
    html.h3(f"Edge {i} → {j} of layer {l + 1}: {what}, importance {curve.importance:.2f}")
    lines = [Line("edge", curve.x, curve.y)]
    if walk.matches:
        best = walk.matches[0]
        lines.append(Line(best.function.name, curve.x, walk.fitted(best), SOFT, True))
    with html.figure():
        title = f"The edge's curve and {lines[-1].name}"
        x, y = Axis("what enters"), Axis("what leaves")
        view.chart((), lambda: charts.curves(x, y, title, None, lines), title)
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
                html.td(f"{row['rmse']:.3g}").classes("n")
