"""Throw hostile tables, options and model files at the command line; every failure is named by its seed.

A case passes when the command ends within 20 s with exit status 0 or 2, prints no traceback, refuses in one
line, and touches no file that it was not asked to write. Run: python scripts/fuzz.py --tables 1000
One case again: python scripts/fuzz.py --only SEED
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

LIMIT = 20.0
"""Seconds that a case may take."""

NAMES = (
    *(
        "x",
        "y",
        "t",
        "a b",
        "",
        "x",
        "nan",
        "E",
        "I",
        "pi",
        "lambda",
        "Δt",
        "=1+1",
        "speed [m/s]",
        "a,b",
        'q"q',
        "x`y",
    ),
    *(
        "[S] (mM)",
        "0",
        "1.5",
        "#",
        "\u202e",
        "é" * 300,
        "a\tb",
        "class",
        "__import__('os')",
        "x=1",
        "../up",
        "-",
    ),
)
CELLS = (
    *(
        "1",
        "2.5",
        "-3e5",
        "1e308",
        "-1e308",
        "1e-320",
        "inf",
        "-inf",
        "nan",
        "",
        " ",
        "-",
        "k.A.",
        "1.234",
        "1,5",
    ),
    *(
        "1.234,5",
        "1,234.5",
        "25%",
        "0.5 m",
        "60 cm",
        "2024-01-01",
        "01.02.2023",
        "12:30",
        "yes",
        "no",
        "a",
        "b",
        "9" * 400,
    ),
    *(
        "0x10",
        "1e999",
        "1_000",
        "1 234",
        "−5",
        "(3)",
        "#DIV/0!",
        "TRUE",
        "\u0661",
        "1+2j",
        '"',
        "'",
        "x" * 3000,
        "\x07",
        "=A1",
    ),
)
FORMS = (
    *("1/2", "1 3/4", "½", "3/14", "<0.01", ">200", "~300", "60+", "0-10", "10-20", "20-30", "2015/16"),
    *("2.1 ± 0.1", "2.1 +0.1/-0.2", "(2.1 ± 0.1) mm", "2.1 ± 5%", "2.1 (1.9-2.3)", "1.98(5)", "1.5 Mio."),
    *("12:30 PM", "23:59", "0:00", "PT1H", "1h 20min", "1 days 00:00:01", "2023-01-02", "Q1 2020"),
    *("Jan-23", "Jan 2020", "May", "48°12'30\"N", "508 p", "507 r", "1.2 [kPa]", "[1]", "5 ns", "1st"),
    *("Subtotal", "Total", "SD", "温度", "온도", "±", "##TITLE=", "Seite 2", "\\N", "１２", "12٫5", "1.2a"),
    *("2020-W60", "2 Mrd.", "0.1\x1f"),
)
"""Numbers in other forms, which cases from FORMS_FROM on hold too; earlier ones stay as they were."""

FORMS_FROM = 1_000_000
"""First seed of a table with FORMS among its cells."""

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252")


def numbers(rng: np.random.Generator, rows: int, columns: int) -> list[list[str]]:
    """Return a table of numbers with a law in it, in some size of numbers."""
    scale = 10.0 ** rng.integers(-8, 9)
    X = rng.uniform(0.5, 2, (rows, max(columns - 1, 1))) * scale
    y = X[:, 0] * np.exp(-X[:, -1] / scale) + rng.choice([0.0, 0.01, 1.0]) * rng.normal(size=rows)
    table = np.column_stack([X, y])[:, :columns]
    if rng.random() < 0.2:
        table[:, rng.integers(columns)] = table[0, 0]
    return [[f"{v:.{rng.integers(1, 17)}g}" for v in row] for row in table]


def table(rng: np.random.Generator, known: tuple[str, ...] = CELLS) -> tuple[str, bytes]:
    """Return a file's name and its bytes, with some of the `known` cells among its numbers."""
    rows, columns = (
        int(rng.choice([0, 1, 2, 3, 5, 8, 20, 60])),
        int(rng.choice([1, 2, 3, 4, 8, 50], p=[0.1, 0.3, 0.3, 0.2, 0.09, 0.01])),
    )
    cells = numbers(rng, max(rows, 1), columns)[:rows]
    for _ in range(int(rng.choice([0, 0, 1, 3, 30]))):
        if cells:
            cells[rng.integers(len(cells))][rng.integers(columns)] = str(rng.choice(known))
    if cells and rng.random() < 0.3:
        words, j = rng.choice(known, 3), int(rng.integers(columns))
        for row in cells:
            row[j] = str(rng.choice(words))
    plain = [f"c{i}" for i in range(columns)]
    names = plain if rng.random() < 0.5 else [str(n) for n in rng.choice(NAMES, columns)]
    lines = [*([names] if rng.random() < 0.95 else []), *cells]
    if lines and rng.random() < 0.15:
        lines.insert(
            int(rng.integers(len(lines) + 1)), [str(c) for c in rng.choice(known, int(rng.integers(1, 9)))]
        )
    kind = rng.choice(
        ["csv", "json", "jsonl", "sqlite", "xlsx", "parquet"], p=[0.8, 0.06, 0.04, 0.03, 0.04, 0.03]
    )
    if kind != "csv":
        return f"t.{kind}", changed(rng, other(str(kind), names, cells))
    sign = str(rng.choice([",", ";", "\t", " ", "|", "  ", ":"]))
    quoted = rng.random() < 0.5
    text = "".join(
        sign.join('"' + c.replace('"', '""') + '"' if quoted and sign in c else c for c in line)
        + str(rng.choice(["\n", "\n", "\r\n", "\n\n"]))
        for line in lines
    )
    if rng.random() < 0.2:
        text = (
            str(rng.choice(["# comment\n", "sep=;\n", "A title\n\n", "\n\n", "|---|---|\n", "{", "["])) + text
        )
    raw = text.encode(str(rng.choice(ENCODINGS, p=[0.7, *[0.05] * 6])), errors="replace")
    return str(
        rng.choice(["t.csv", "t.tsv", "t", "t.parquet", "t.json"], p=[0.8, 0.05, 0.05, 0.05, 0.05])
    ), changed(rng, raw)


def other(kind: str, names: list[str], cells: list[list[str]]) -> bytes:
    """Return a table in another format, as bytes."""
    import sqlite3

    import pandas as pd

    frame = pd.DataFrame(cells, columns=[f"{n}{i}" for i, n in enumerate(names)], dtype=str)
    if kind in ("json", "jsonl"):
        return frame.to_json(orient="records", lines=kind == "jsonl").encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t.{kind}"
        if kind == "sqlite":
            connection = sqlite3.connect(path)
            frame.rename(columns=lambda n: n or "c").to_sql("t", connection, index=False)
            connection.close()
        elif kind == "xlsx":
            frame.map(lambda v: "".join(c for c in v if c.isprintable())[:1000]).to_excel(
                path, header=False, index=False
            )
        else:
            frame.to_parquet(path)
        return path.read_bytes()


def changed(rng: np.random.Generator, raw: bytes) -> bytes:
    """Return bytes with some of them changed, cut, doubled or compressed; most often as they are."""
    way = rng.choice(
        ["none", "flip", "cut", "double", "gzip", "broken gzip", "zero"],
        p=[0.7, 0.1, 0.08, 0.03, 0.05, 0.02, 0.02],
    )
    data = bytearray(raw)
    if way == "flip":
        for _ in range(int(rng.integers(1, 10))):
            if data:
                data[rng.integers(len(data))] = int(rng.integers(256))
    elif way == "cut":
        del data[int(rng.integers(len(data) + 1)) :]
    elif way == "double":
        data = data + data
    elif way == "zero" and data:
        data[rng.integers(len(data))] = 0
    elif way in ("gzip", "broken gzip"):
        data = bytearray(gzip.compress(bytes(data)))
        data = data[: len(data) - 9] if way == "broken gzip" else data
    return bytes(data)


def options(rng: np.random.Generator) -> list[str]:
    """Return options of discover, sensible and not."""
    name = lambda: str(rng.choice(["c0", "c1", "c2", *NAMES]))  # noqa: E731
    makers: dict[str, Callable[[], str]] = {
        "--target": lambda: str(rng.choice([name(), "c0,c1", "", ","])),
        "--inputs": lambda: ",".join(name() for _ in range(rng.integers(1, 4))),
        "--sigma": name,
        "--group": name,
        "--category": name,
        "--units": lambda: f"{name()}={rng.choice(['m', 's', 'furlong', '', 'm^9999', '10**9 m', '°C'])}",
        "--relative-error": lambda: str(rng.choice(["0.1", "0", "-1", "nan", "1e300", "x"])),
        "--select": lambda: str(rng.choice(["best", "accuracy", "fancy", ""])),
        "--maxsize": lambda: str(rng.choice(["1", "5", "0", "-3", "1e3", "999999999999"])),
        "--decimal": lambda: str(rng.choice([".", ",", "x", ""])),
        "--thousands": lambda: str(rng.choice([".", ",", "'", "xx"])),
        "--only": lambda: str(rng.choice(["sin", "x,x^2", "sinn", ",", "exp,log"])),
        "--guess": lambda: str(
            rng.choice(["c0*2", "1+", "a*exp(c0)", "9**9**9**9", "__import__('os')", "(" * 200, "c0" * 999])
        ),
        "--hypothesis": lambda: str(
            rng.choice(["linear: c0", "y = f(c0)", "last: exp", "only: sin", "f(", "y = 1"])
        ),
        "--seed": lambda: str(rng.choice(["0", "7", "-1", "2147483648", "99999999999999999999", "x"])),
        "--effort": lambda: str(rng.choice(["0.1", "nan", "inf", "0"])),
    }
    chosen = rng.choice(list(makers), int(rng.choice([0, 0, 1, 2, 4])), replace=False)
    return [word for option in chosen for word in (str(option), makers[str(option)]())]


def model(rng: np.random.Generator, good: dict[str, bytes]) -> tuple[str, bytes]:
    """Return a model or result file, changed in its bytes or in its structure."""
    name = str(rng.choice(sorted(good)))
    if rng.random() < 0.4:
        return name, changed(rng, good[name])
    data = json.loads(good[name])
    for _ in range(int(rng.integers(1, 4))):
        place: object = data
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = keys[rng.integers(len(keys))]
            inner = place[key]  # type: ignore[index]
            if not isinstance(inner, dict | list) or not inner or rng.random() < 0.3:
                place[key] = [None, 0, -1, 1e308, "x", "1/0", [], {}, "__import__('os')", True][
                    rng.integers(10)
                ]  # type: ignore[index]
                break
            place = inner
    return name, json.dumps(data).encode()


def case(seed: int, good: dict[str, bytes]) -> tuple[list[str], list[str]]:
    """Write a case's files here; return the command and the files that it may write."""
    rng = np.random.default_rng(seed)
    file, raw = table(rng, (*CELLS, *FORMS) if seed >= FORMS_FROM else CELLS)
    Path(file).write_bytes(raw)
    kind = rng.choice(
        ["discover", "classify", "relations", "pade", "model"], p=[0.68, 0.06, 0.06, 0.05, 0.15]
    )
    if kind == "model":
        name, content = model(rng, good)
        Path(name).write_bytes(content)
        return [
            ["predict", name, file],
            ["export", name, "--to", str(rng.choice(["python", "c", "latex", "json", "nothing"]))],
            ["report", name],
            ["resume", "."],
        ][rng.integers(4)], ["report.html", "model.html", "result.html"]
    if kind == "relations":
        return ["relations", file, "--time", "1"], []
    if kind == "pade":
        return ["pade", file, *options(rng)[:2]], []
    if kind == "classify":
        return ["discover", file, "--task", "classify", "--time", "1", "--effort", "0.05", "--quiet"], []
    out = rng.random() < 0.1
    command = ["discover", file, "--time", "1", "--quiet", *(["--out", "out"] if out else []), *options(rng)]
    if rng.random() < 0.2:
        command.append("--json")
    return command, ["out"] if out else []


def run(command: list[str]) -> tuple[int, str, str]:
    """Run a command in this process; return its exit status and what it printed."""
    from kansym.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(command)
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException:
            status = 1
            err.write(traceback.format_exc())
    return status, out.getvalue(), err.getvalue()


def fault(seed: int, good: dict[str, bytes]) -> str:
    """Return what is wrong with a case, "" for nothing."""
    command, allowed = case(seed, good)
    before = {p: p.stat().st_mtime_ns for p in Path(".").rglob("*")}
    status, out, err = run(command)
    said = f"kansym {' '.join(command)}: "
    if "Traceback" in err or "Traceback" in out:
        return said + err.strip().splitlines()[-1][:300]
    if status not in (0, 2):
        return f"{said}exit status {status}: {err[-200:]}"
    lines = [line for line in err.splitlines() if not line.startswith(("note:", "[", "wrote"))]
    if status == 2 and (len(lines) != 1 or not lines[0].startswith("kansym: ")):
        return f"{said}refused in {len(lines)} lines: {err[-200:]!r}"
    for path in Path(".").rglob("*"):
        if before.get(path) != path.stat().st_mtime_ns and path.parts[0] not in allowed and path.is_file():
            return f"{said}touched {path}"
    return ""


def in_child(seed: int, good: dict[str, bytes]) -> str:
    """Return `fault` of a case that runs in a process of its own, which may hang or die."""
    with tempfile.TemporaryDirectory() as folder:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.chdir(folder)
            os.close(reader)
            try:
                text = fault(seed, good)
            except BaseException:
                text = "the script itself: " + traceback.format_exc()
            os.write(writer, text.encode()[:4000])
            os._exit(0)
        os.close(writer)
        begun = time.monotonic()
        while time.monotonic() - begun < LIMIT:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                text = os.read(reader, 5000).decode(errors="replace")
                os.close(reader)
                return text if not status else f"died of signal {status & 127}"
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        return f"hangs: no end within {LIMIT:.0f} s"


def good_files() -> dict[str, bytes]:
    """Return the files that a small run leaves."""
    with tempfile.TemporaryDirectory() as folder:
        run(["discover", "planets", "--time", "5", "--quiet", "--out", folder])
        return {
            n: (Path(folder) / n).read_bytes()
            for n in ("result.json", "model.json")
            if (Path(folder) / n).exists()
        }


def main_program(arguments: list[str] | None = None) -> int:
    """Run the cases; return 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--only", type=int, help="run one seed and print its command")
    given = parser.parse_args(arguments)
    good = good_files()
    seeds = [given.only] if given.only is not None else range(given.seed, given.seed + given.tables)
    failed = 0
    for seed in seeds:
        wrong = in_child(seed, good)
        if wrong:
            failed += 1
            print(f"seed {seed}: {wrong}", flush=True)
    print(f"{len(seeds)} cases, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main_program())
