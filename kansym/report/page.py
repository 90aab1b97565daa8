"""A run as one plain dict, and from that dict the JSON, the files of a run and one HTML page.

The page is self-contained: no network, no script from elsewhere. Pictures for papers are `plotting`'s job.
"""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import kansym
from kansym.base import storage
from kansym.base.errors import FormatError, InputError
from kansym.functions.graph import Graph
from kansym.judge.verdict import NOISE, STRUCTURE
from kansym.pipeline.run import Run
from kansym.report.labels import label, parted, units
from kansym.report.levels import exact_level
from kansym.report.numbers import drawable, figures, measured
from kansym.report.plotting import occurring
from kansym.report.slices import along, positions, wants_log, whole
from kansym.report.svg import network_svg

if TYPE_CHECKING:
    import jinja2
    import sympy

    from kansym.data.dataset import Dataset

POINTS = 400  # rows drawn in pictures
PANELS = 6  # pictures of a section that are not folded away
LONG = 60  # characters of a sum that stands on one line
MODEL_FORMAT = 1  # of model.json; raised by what older versions cannot read


# SymPy's presentation markup, made to read well next to names of several letters.
_SIGNS = (
    ("<mo>&InvisibleTimes;</mo>", '<mo>&#x2062;</mo><mspace width="0.2em"/>'),
    ("<mi>&ExponentialE;</mi>", '<mi mathvariant="normal">e</mi>'),
    ("<mo>-</mo>", "<mo>−</mo>"),
)

_POWERS = re.compile(r'<mfrac bevelled="true"><mn>(\d+)</mn><mn>(\d+)</mn></mfrac>')
"""A fraction above the line: browsers stack it, too small to be read, unless it is written as 3/2."""


def summarise(run: Run, dataset: Dataset | None = None) -> dict[str, Any]:
    """Return everything known of a run as plain data; with the dataset, also what pictures show.

    The same dict is printed by --json, written as result.json and made into the page.
    """
    data = run.to_dict()
    data["chosen"] = {**data["front"][run.chosen], "index": run.chosen}
    for law, row in zip(run.front, data["front"], strict=True):
        row["mathml"] = mathml(law.expression, run.data["target"], run.names)
    data["chosen"]["mathml"] = data["front"][run.chosen]["mathml"]
    if dataset is not None:
        data["pictures"] = _pictures(run, dataset)
    return data


def load(path: str | Path) -> tuple[Run, dict[str, Any]]:
    """Return the run and the dict in a run's folder or result.json; raises InputError or FormatError."""
    path = Path(path)
    if path.is_dir():
        path = path / "result.json"
    data = storage.read_json(path)
    if data.get("kind") == "kansym model":
        raise FormatError(f"{path} is a model, which has no front; give the run's folder or its result.json.")
    plain = dict(data)
    if isinstance(plain.get("chosen"), Mapping):
        plain["chosen"] = plain["chosen"].get("index")
    return Run.from_dict(plain), data


def write_run(run: Run, dataset: Dataset, folder: str | Path) -> list[Path]:
    """Write hall_of_fame.csv, result.json, model.json and the figures into a folder; return the files."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["Complexity", "Loss", "Equation"])
    writer.writerows([law.complexity, repr(law.loss), law.equation] for law in run.front)
    files = [
        storage.write_text(folder / "hall_of_fame.csv", text.getvalue()),
        storage.write_json(folder / "result.json", summarise(run, dataset)),
    ]
    if run.graph is not None:
        files.append(write_graph(run.graph, run.data["target"], folder / "model.json", run.best.equation))
    from kansym.report import plotting

    for name, figure in plotting.every(run, dataset).items():
        files.append(plotting.save(figure, folder / f"{name}.png"))
    return files


def write_graph(graph: Graph, target: str, path: str | Path, equation: str | None = None) -> Path:
    """Write a graph as a model file, which is data only: loading it executes nothing."""
    return storage.write_json(
        path,
        {
            "kind": "kansym model",
            "format": MODEL_FORMAT,
            "version": kansym.__version__,
            "target": target,
            "equation": equation,
            "graph": graph.to_dict(),
        },
    )


def load_model(path: str | Path) -> tuple[Graph, str]:
    """Return the graph in a model.json and its target's name; reading executes nothing.

    Raises InputError for no file and FormatError for other content or another version.
    """
    data = storage.read_json(path)
    if data.get("kind") != "kansym model":
        raise FormatError(f"{path} is no kansym model; give the model.json of a run.")
    if data.get("format") != MODEL_FORMAT:
        raise FormatError(
            f"{path} has model format {data.get('format')!r} (kansym {data.get('version', 'unknown')}); "
            f"kansym {kansym.__version__} reads format {MODEL_FORMAT}. Run discover again."
        )
    target = data.get("target", "y")
    if not isinstance(target, str):
        raise FormatError(f"{path} has no name for its target but {target!r}; run discover again.")
    return Graph.from_dict(data.get("graph") or {}), target


def write_html(data: Mapping[str, Any], path: str | Path) -> Path:
    """Write the page that `page` makes."""
    return storage.write_text(path, page(data))


def page(data: Mapping[str, Any]) -> str:
    """Return one self-contained HTML page from the dict of `summarise`."""
    with storage.reading("The result", "run discover again"):
        return _rendered(Run.from_dict({**data, "chosen": data["chosen"]["index"]}), data)


def environment() -> jinja2.Environment:
    """Return where pages are rendered: escaping, strict, with figures as people write them."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("kansym.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["figures"] = figures
    made.filters["measured"] = measured
    made.filters["units"] = units
    made.filters["sign"] = lambda name: jinja2.utils.markupsafe.Markup(label(name).markup)
    return made


def _rendered(run: Run, data: Mapping[str, Any]) -> str:
    """Return the page; raises FormatError where the result lacks a part."""
    import jinja2

    # the only markup on the page is made here, from parsed formulas: a file's own is never trusted
    rows = [
        {
            **row,
            "code": code(run, i),
            "index": i,
            "mathml": mathml(law.expression, run.data["target"], run.names),
        }
        for i, (law, row) in enumerate(zip(run.front, data["front"], strict=True))
    ]
    drawn = _networks(run, data)
    shown = _leading(run, data.get("pictures"))
    values = {
        "run": {"pictures": None, **data, "history": list(run.history)},
        "rows": rows,
        "best": run.best,
        "shorter": run.shorter,
        "verdict": run.verdict,
        "found_law": run.verdict.kind not in (STRUCTURE, NOISE),
        "noise_model": run.noise_model,
        "outliers": run.outliers,
        "steps": [s for s in run.history if s.get("event") != "refused"],
        "refusals": [s for s in run.history if s.get("event") == "refused"],
        "along": [shown[1 : PANELS + 1], shown[PANELS + 1 :]],
        "first": shown[0],
        "against": _folded([*shown, *(n for n in run.names if n not in shown)]),
        "networks": drawn,
        "embedded": _embedded(
            {
                "front": _chart(run),
                "level": exact_level([p["error"] for p in _chart(run) if p["error"] is not None]),
                "labels": {n: _label(run, n) for n in (*run.names, run.data["target"])},
                "pictures": data.get("pictures"),
                "chosen": run.chosen,
                "ranges": run.data["ranges"],
            }
        ),
    }
    try:
        return environment().get_template("report.html").render(values)
    except jinja2.UndefinedError as problem:
        raise FormatError(f"The result lacks a part: {problem}; run discover again.") from None


def mathml(expression: sympy.Expr | None, target: str, names: Sequence[str], digits: int = 5) -> str:
    """Return "target = expression" as presentation MathML; names are escaped, whatever they hold."""
    if expression is None:
        return f"<math><mi>{html.escape(target)}</mi><mo>=</mo><mtext>not symbolic</mtext></math>"
    import sympy
    from sympy.printing.mathml import mathml as printed

    from kansym.formula.expression import rounded

    # SymPy writes names into the markup as they are, so stand-ins of plain letters go through it instead.
    written = rounded(expression, digits)
    # A decay keeps its minus sign: under a fraction bar its exponent would be struck through.
    decays = sorted((e for e in written.atoms(sympy.exp) if _falls(e.exp)), key=str)
    letters = {s: _stand_in(i) for i, s in enumerate([*sorted(expression.free_symbols, key=str), *decays])}
    shown = written.xreplace({s: sympy.Symbol(n, real=True) for s, n in letters.items()})

    def markup(part: sympy.Expr) -> str:
        """Return a part as MathML, the columns by their own names."""
        body = printed(part, printer="presentation", fold_frac_powers=True)
        body = _POWERS.sub(r"<mrow><mn>\1</mn><mo>/</mo><mn>\2</mn></mrow>", body)
        for sign, better in _SIGNS:
            body = body.replace(sign, better)
        for symbol, name in letters.items():
            if f"<mi>{name}</mi>" in body:
                body = body.replace(
                    f"<mi>{name}</mi>", _name(str(symbol)) if symbol.is_Symbol else raised(symbol)
                )
        return body

    def raised(decay: sympy.Expr) -> str:
        """Return e to a negative power as MathML."""
        power = decay.exp.xreplace({s: sympy.Symbol(n, real=True) for s, n in letters.items()})
        return f'<msup><mi mathvariant="normal">e</mi><mrow>{markup(power)}</mrow></msup>'

    left = f"{_name(target)}<mo>=</mo>"
    if not shown.is_Add or len(str(written)) <= LONG:
        return f'<math display="block"><mrow>{left}{markup(shown)}</mrow></math>'
    # browsers do not break formulas, so a long sum gets a line for each term
    first, *rest = shown.as_ordered_terms()
    lines = [f"<mtr><mtd><mrow>{left}{markup(first)}</mrow></mtd></mtr>"]
    for term in rest:
        sign, size = ("−", -term) if term.could_extract_minus_sign() else ("+", term)
        lines.append(f'<mtr><mtd><mspace width="2em"/><mo>{sign}</mo>{markup(size)}</mtd></mtr>')
    return f'<math display="block"><mtable class="lines">{"".join(lines)}</mtable></math>'


def _falls(power: sympy.Expr) -> bool:
    """Tell whether a power is a product with a minus sign."""
    return bool(power.is_Mul and power.could_extract_minus_sign())


def code(run: Run, index: int) -> dict[str, str]:
    """Return a law in the languages that the page offers for copying."""
    if run.front[index].expression is None:
        return {}
    from kansym.report.export import export

    texts = {}
    for language, target in (("Python", "python"), ("LaTeX", "latex"), ("Excel", "excel")):
        try:
            texts[language] = export(run, target, index).strip()
        except InputError as problem:  # a function that the target lacks
            texts[language] = str(problem)
    return texts


def _stand_in(index: int) -> str:
    """Return a name of plain letters, which SymPy's printer leaves as it is."""
    return "kq" + "".join(chr(ord("a") + int(d)) for d in str(index)) + "z"


def _name(name: str) -> str:
    """Return a column's name as MathML: letters italic, a number or letter after them as a subscript."""
    stem, below = parted(name)
    if not stem:
        return f'<mi mathvariant="normal">{html.escape(name)}</mi>'
    if not below:
        return f"<mi>{stem}</mi>"
    word = f"<mn>{below}</mn>" if below.isdigit() else f"<mi>{below}</mi>"
    return f"<msub><mi>{stem}</mi>{word}</msub>"


def _label(run: Run, name: str) -> dict[str, str]:
    """Return how a column is written on an axis: a stem, what stands below the line, what follows, and the
    name alone as plain text."""
    found = label(name, str(run.data.get("units", {}).get(name, "1")))
    return {"stem": found.stem, "below": found.below, "unit": found.behind, "plain": label(name).plain}


def _leading(run: Run, pictures: Any) -> list[str]:
    """Return the front's inputs, first the one along which the chosen law varies most within the data."""
    shown = occurring(run)
    law = run.best.expression
    if not pictures or law is None:
        return shown
    used = {s.name for s in law.free_symbols}

    def varies(name: str) -> float:
        cut = np.array(pictures["slices"][run.chosen][name], float)
        inside = cut[len(cut) // 5 : -(len(cut) // 5)]
        return float(np.ptp(inside)) if name in used and np.all(np.isfinite(inside)) else 0.0

    return sorted(shown, key=lambda n: -varies(n))


def _folded(names: Sequence[str]) -> list[Sequence[str]]:
    """Return the names of panels that are shown, and of those that a wide table folds away."""
    return [names[:PANELS], names[PANELS:]]


def _networks(run: Run, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the picture of every row's law that has one, and those of trained networks."""
    laws = [(f"complexity {law.complexity}", law.as_graph(run.names), i) for i, law in enumerate(run.front)]
    return [
        {"name": name, "row": row, "svg": network_svg(graph, _sample(data, graph), run.data["target"])}
        for name, graph, row in [*laws, *((name, graph, None) for name, graph in run.graphs.items())]
        if graph is not None
    ]


def _pictures(run: Run, dataset: Dataset) -> dict[str, Any]:
    """Return rows to draw with every law's predictions on them, and slices through the data's middle."""
    data = dataset.select(run.names).subsample(POINTS, seed=0)
    every = dataset.select(run.names)
    at = {name: positions(every.column(name)) for name in run.names}
    cuts = [{n: along(law, every, n, at[n]) for n in run.names} for law in run.front]
    return {
        "columns": {n: drawable(data.X[:, i]) for i, n in enumerate(run.names)},
        "target": drawable(data.y),
        "sigma": None if data.weights is None or not data.absolute else drawable(data.weights**-0.5),
        "predicted": [drawable(law.predict(data.X, run.names)) for law in run.front],
        "middle": dict(zip(run.names, drawable(np.median(every.X, axis=0)), strict=True)),
        "spans": {n: [float(x[0]), float(x[-1])] for n, x in at.items()},
        "logs": [n for n in run.names if wants_log(every.column(n))],
        "wholes": [n for n in run.names if whole(every.column(n))],
        "log_target": wants_log(every.y),
        "slices": [{n: drawable(cut.y) for n, cut in laws.items()} for laws in cuts],
        "bands": [{n: [drawable(cut.low), drawable(cut.high)] for n, cut in laws.items()} for laws in cuts],
        "outliers": [{**dict(zip(run.names, o.inputs, strict=True)), "": o.value} for o in run.outliers],
        "of_rows": dataset.rows,
    }


def _chart(run: Run) -> list[dict[str, Any]]:
    """Return the points of the front: complexity and the held-out error as a share of the spread."""
    spread = float(run.data.get("target_spread") or 1.0)
    return [
        {
            "complexity": law.complexity,
            "error": 0.0
            if law.exact
            else math.sqrt(max(law.heldout_loss, 0.0)) / spread
            if math.isfinite(law.heldout_loss)
            else None,
            "equation": law.equation,
        }
        for law in run.front
    ]


def _sample(data: Mapping[str, Any], graph: Graph) -> np.ndarray | None:
    """Return a graph's rows (n, inputs) as the pictures have them; None without pictures."""
    pictures = data.get("pictures")
    if not pictures:
        return None
    columns = [pictures["columns"].get(name) for name in graph.inputs]
    return None if None in columns else np.column_stack(columns).astype(float)


def _embedded(data: Any) -> str:
    """Return JSON that may stand inside a script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
