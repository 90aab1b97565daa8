"""Tables larger than memory: what is summed over batches is what all rows at once would give."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sympy
from click.testing import CliRunner

import kansym
from kansym.base.errors import FormatError, InputError
from kansym.cli import main
from kansym.data import scan
from kansym.data.dataset import from_table
from kansym.data.scan import Reading, Scan
from kansym.formula import sums, uncertainty
from kansym.formula.polish import Rows, polish
from kansym.functions.parsing import parse_expression, symbols
from kansym.judge.kinds import NoiseModel
from kansym.judge.outliers import Outlier
from kansym.pipeline.beyond import on_all_rows
from kansym.pipeline.flow import Options, search
from kansym.report.page import load

NAMES = ("a", "b")
COLUMNS = symbols(NAMES)
BATCH = scan.BATCH


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Let tables of some thousand rows count as large."""
    monkeypatch.setattr(scan, "SCANNED", 20_000)
    monkeypatch.setattr(scan, "BATCH", 7_000)


def table(rows, seed=0, noise=0.05):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(1, 3, rows), rng.uniform(0, 2, rows)
    return pd.DataFrame({"a": a, "b": b, "y": 2.5 * a * b + noise * rng.normal(size=rows)})


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "large"
    place.mkdir()
    whole = table(30_000)
    whole.iloc[:17_000].to_parquet(place / "one.parquet")
    whole.iloc[17_000:][["y", "b", "a"]].to_parquet(place / "two.parquet")
    return place


def parts(X, y, weights=None, sigma2=None, size=3_000):
    def read():
        for at in range(0, len(y), size):
            some = slice(at, at + size)
            yield Rows(X[some], y[some], None if weights is None else weights[some], COLUMNS, sigma2)

    return read


@pytest.mark.parametrize("weighted", [False, True])
def test_sums_give_what_all_rows_give(weighted):
    frame = table(20_000)
    X, y = frame[["a", "b"]].to_numpy(), frame["y"].to_numpy()
    weights = np.linspace(0.5, 2, len(y)) if weighted else None
    start = parse_expression("2.4*a**0.95*b**1.1 + 0.3", NAMES)
    all_rows = Rows(X, y, weights, COLUMNS)
    wanted = polish(start, all_rows)
    (found,) = sums.refitted([start], parts(X, y, weights))
    values = [float(v) for v in sorted(found.expression.atoms(sympy.Float), key=float)]
    assert values == pytest.approx(sorted(wanted.theta), rel=1e-7, abs=1e-8)
    assert found.sums.loss == pytest.approx(wanted.loss, rel=1e-10)
    freed = uncertainty.Freed.of(found.expression)
    found_by_sums = uncertainty.estimated(
        freed, found.sums.slopes, found.sums.residuals, found.sums.count, found.sums.variance
    )
    for one, other in zip(found_by_sums, uncertainty.numbers(found.expression, all_rows), strict=True):
        assert (one.name, one.exact) == (other.name, other.exact)
        assert one.value == pytest.approx(other.value, rel=1e-8)
        assert one.stderr == pytest.approx(other.stderr, rel=1e-8)


def test_rows_without_a_value_count_and_exact_numbers_stay():
    X = np.column_stack([np.linspace(-1, 1, 100), np.ones(100)])
    first, second = sums.summed(
        [parse_expression("1.5*log(a)", NAMES), parse_expression("2*a", NAMES)], parts(X, 2 * X[:, 0])
    )
    assert first.undefined == 50 and math.isinf(first.loss)
    assert second.loss == 0.0
    (kept,) = sums.refitted([parse_expression("2*a", NAMES)], parts(X, 2.1 * X[:, 0]))
    assert kept.expression == parse_expression("2*a", NAMES) and kept.before == kept.sums.loss > 0


def test_a_sample_is_drawn_evenly_in_one_pass(folder):
    large = Scan.of(folder)
    assert large is not None and large.rows == 30_000
    told = []
    drawn = large.sample(0, 3_000, told.append)
    assert told == [7_000, 14_000, 17_000, 24_000, 30_000]
    assert drawn.rows == 3_000 and drawn.names == ("a", "b", "y")
    whole = table(30_000)
    places = np.flatnonzero(np.isin(whole["a"], drawn.frame["a"]))
    assert len(places) == 3_000
    counts = np.histogram(places, bins=10, range=(0, 30_000))[0]
    assert np.abs(counts - 300).max() < 5 * math.sqrt(300 * 0.81)
    assert drawn.frame.equals(large.sample(0, 3_000).frame)
    assert not drawn.frame.equals(large.sample(1, 3_000).frame)


def test_the_command_fits_all_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "SAMPLE", 3_000)
    table(30_000, noise=0.0).to_parquet(tmp_path / "large.parquet")
    out = tmp_path / "out"
    result = CliRunner().invoke(main, ["discover", str(tmp_path / "large.parquet"), "--out", str(out)])
    assert result.exit_code == 0, result.stderr
    assert "the search looks at 3000 of them" in result.stderr and "drawing a sample" in result.stderr
    assert "constants are fitted to all 30000 rows" in result.stderr
    assert "27000 held-out rows" in result.stdout and "y = 5*a*b/2" in result.stdout
    run, _ = load(out)
    assert run.data["rows"] == 30_000 and run.best.exact and run.best.heldout_loss < 1e-24


def test_from_python_gaps_errors_and_kinds(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "SAMPLE", 3_000)
    frame = table(25_000, noise=0.0)
    kind = np.where(np.arange(25_000) % 2, "left", "right")
    frame["y"] *= np.where(kind == "left", 1.0, 2.0)
    frame = frame.assign(kind=kind)[["a", "b", "kind", "y"]]
    frame.loc[::100, "a"] = np.nan
    frame.to_parquet(tmp_path / "kinds.parquet")
    run = kansym.discover(tmp_path / "kinds.parquet", effort=0.05, families="off")
    assert (
        run.data["rows"] == 24_750 and "250 of 25000 rows have missing values: dropped" in run.data["notes"]
    )
    assert math.sqrt(run.best.loss) < 1e-6 * run.data["target_spread"]
    assert run.data["ranges"]["b"] == pytest.approx([frame["b"][1:].min(), frame["b"].max()], abs=1e-3)


def _run_of(frame):
    """A run on a sample of a law without noise, and the sample."""
    data = from_table(frame.iloc[:200])
    return search(data, Options(effort=0.02, kan=False, families="off")), data


def test_weights_follow_the_noise_and_far_rows_stay_out(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 100, 20_000)
    y = 3 * x * (1 + 0.05 * rng.normal(size=len(x)))
    y[5_000] = 1e6
    pd.DataFrame({"x": x, "y": y}).to_parquet(tmp_path / "t.parquet")
    run, data = _run_of(pd.DataFrame({"x": x, "y": 3.1416 * x}))
    far = Outlier(0, (1.0,), 1.0, 2.0, 9.0)
    middle = float(np.median(y))
    run = replace(run, noise_model=NoiseModel("relative", 0.05, founded=True, middle=middle), outliers=(far,))
    large = Scan.of(tmp_path / "t.parquet")
    found = on_all_rows(run, data, Reading(large, "y"))
    assert "1 rows are far from the law and left out, as in the sample" in found.data["notes"]
    assert found.data["rows"] == 20_000
    assert found.predict([[50.0]])[0] == pytest.approx(150, rel=0.002)
    share = np.delete(y / (3 * x) - 1, 5_000)
    wanted = 3 * share.std() / math.sqrt(len(share))
    assert found.best.constants[0].stderr == pytest.approx(wanted, rel=0.02)


def test_a_million_rows_give_a_constant_its_digits(tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "BATCH", BATCH)
    frame = table(10**6)
    frame.to_parquet(tmp_path / "t.parquet")
    run, data = _run_of(frame)
    found = on_all_rows(run, data, Reading(Scan.of(tmp_path / "t.parquet"), "y"))
    assert found.data["rows"] == 10**6
    (factor,) = found.best.constants
    error = 0.05 / math.sqrt(np.sum((frame.a * frame.b) ** 2))
    assert factor.stderr == pytest.approx(error, rel=0.01)
    assert abs(factor.value - 2.5) < 4 * error < 1e-4


def test_measurement_errors_weigh_every_batch(tmp_path):
    frame = table(21_000).assign(sigma=0.05)
    frame = frame[["a", "b", "sigma", "y"]]
    frame.to_parquet(tmp_path / "t.parquet")
    large = Scan.of(tmp_path / "t.parquet")
    (X, y, weights), *_ = Reading(large, "y", sigma="sigma").parts(NAMES)
    assert X.shape == (7_000, 2) and len(y) == 7_000 and weights == pytest.approx(400)
    with pytest.raises(InputError, match="sigma"):
        next(Reading(large, "y", sigma="none").parts(NAMES))


def test_what_is_no_large_table_is_read_as_before(folder, tmp_path):
    table(100).to_csv(tmp_path / "t.csv", index=False)
    table(100).to_parquet(tmp_path / "t.parquet")
    for other in (
        tmp_path / "t.csv",
        tmp_path / "t.parquet",
        "planets",
        "-",
        table(3),
        tmp_path / "*.parquet",
    ):
        assert Scan.of(other) is None
    (folder / "three.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(FormatError, match=r"three.parquet"):
        Scan.of(folder)
    table(100).assign(z=1.0).to_parquet(folder / "three.parquet")
    with pytest.raises(InputError, match=r"different columns \(z\)"):
        Scan.of(folder)


def test_another_loss_and_an_interrupt_keep_the_samples_constants(folder):
    run, data = _run_of(table(300, noise=0.0))
    reading = Reading(Scan.of(folder), "y")
    other = on_all_rows(replace(run, options={**run.options, "loss": "absolute"}), data, reading)
    assert "squared loss only" in other.data["notes"][-1] and other.front == run.front

    def stop(report):
        raise KeyboardInterrupt

    stopped = on_all_rows(run, data, reading, stop)
    assert "interrupted" in stopped.data["notes"][-1] and stopped.front == run.front


def test_a_run_that_goes_on_ends_with_all_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "SAMPLE", 3_000)
    place = tmp_path / "large.parquet"
    table(30_000, noise=0.0).to_parquet(place)
    out = tmp_path / "out"
    first = CliRunner().invoke(main, ["discover", str(place), "--time", "0.01", "--out", str(out), "--quiet"])
    assert first.exit_code == 0 and "time limit" in first.stdout
    again = CliRunner().invoke(main, ["resume", str(out), "--time", "60"])
    assert again.exit_code == 0 and "constants are fitted to all 30000 rows" in again.stderr
    assert "y = 5*a*b/2" in again.stdout
    CliRunner().invoke(main, ["discover", str(place), "--time", "0.01", "--out", str(out), "--quiet"])
    place.unlink()
    lost = CliRunner().invoke(main, ["resume", str(out)])
    assert lost.exit_code == 2 and "put it back" in lost.stderr


def test_a_column_may_be_called_like_a_number_of_the_formula() -> None:
    rng = np.random.default_rng(2)
    X = rng.uniform(1, 3, (60, 2))
    y = 2.5 * X[:, 0] ** 2 * X[:, 1] + 0.01 * rng.normal(size=60)
    errors = []
    for names in (("c0", "c1"), ("u", "v")):
        u, v = columns = sympy.symbols(names, real=True)
        found = uncertainty.numbers(sympy.Float(2.5) * u**2 * v, Rows(X, y, None, columns))
        errors.append([c.stderr for c in found])
    assert errors[0] == errors[1]
    assert errors[0][0] < 1e-3
