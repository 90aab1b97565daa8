"""Laws of motion: recovered from trajectories, followed without end, refused in one line."""

import json

import numpy as np
import pytest

from kansym.base.errors import FormatError, InputError
from kansym.data.dates import called_a_time, time_column
from kansym.data.table import read_table
from kansym.data.units import parse
from kansym.pipeline.motion import reading, simulation, trajectory
from kansym.pipeline.motion.dynamics import dynamics
from kansym.pipeline.motion.simulation import follow
from kansym.pipeline.motion.smooth import smooth
from kansym.pipeline.motion.system import Dynamics, explained
from kansym.pipeline.motion.terms import best_subsets


def oscillator(n=200, noise=0.0, seed=0):
    """Return times and states of x'' = -4 x - 0.4 x', from (1, 0)."""
    t = np.linspace(0, 6, n)
    w = np.sqrt(4 - 0.04)
    x = np.exp(-0.2 * t) * (np.cos(w * t) + 0.2 / w * np.sin(w * t))
    v = np.exp(-0.2 * t) * (-4 / w) * np.sin(w * t)
    X = np.column_stack([x, v])
    return t, X + noise * X.std(0) * np.random.default_rng(seed).normal(size=X.shape)


def test_clean_rows_give_exact_equations():
    t, X = oscillator()
    found = dynamics(t, X, names=["x", "v"])
    assert str(found.equations["x"]) == "v"
    expected = np.column_stack([X[:, 1], -4 * X[:, 0] - 0.4 * X[:, 1]])
    assert np.abs(found.derivative(X) - expected).max() < 1e-8
    assert min(found.heldout.values()) > 0.999999
    assert found.score(X, t) > 0.999999
    assert Dynamics.from_dict(json.loads(json.dumps(found.to_dict()))).to_dict() == found.to_dict()


def test_noisy_constants_lie_within_their_errors():
    t, X = oscillator(noise=0.02)
    found = dynamics(t, X, names=["x", "v"])
    row = np.array([[1.0, 0.0], [0.0, 1.0]])
    slopes = found.derivative(row)
    assert slopes[:, 0] == pytest.approx([0, 1], abs=0.02)
    assert slopes[:, 1] == pytest.approx([-4, -0.4], abs=0.1)
    for constants in found.constants.values():
        assert all(np.isfinite(c.stderr) for c in constants)


def test_positions_alone_give_the_force():
    t, X = oscillator()
    found = dynamics(t, X[:, :1], names=["x"], order=2)
    force = found.derivative(np.array([[1.0, 0.0], [0.0, 1.0]]))[:, 0]
    assert force == pytest.approx([-4, -0.4], abs=1e-6)


def test_several_runs_and_a_known_drive():
    t = np.linspace(0, 5, 120)
    u = np.cos(1.3 * t)
    runs, drives = [], []
    for start in (0.5, -1.0):
        # x' = -x + 2 u, solved exactly
        a, b, w = 2 / (1 + 1.3**2), 2 * 1.3 / (1 + 1.3**2), 1.3
        x = a * np.cos(w * t) + b * np.sin(w * t)
        runs.append((x + (start - x[0]) * np.exp(-t))[:, None])
        drives.append(u[:, None])
    found = dynamics([t, t], runs, names=["x"], inputs=drives, input_names=["drive"])
    # a drive is known at its rows alone, and straight between them
    slopes = found.derivative([[1.0], [0.0]], inputs=[[0.0], [1.0]])[:, 0]
    assert slopes == pytest.approx([-1, 2], abs=2e-3)
    with pytest.raises(InputError, match="drive"):
        found.simulate([0.5], t)
    path = found.simulate([0.5], t, inputs=u)
    assert explained(runs[0], path)[0] > 0.9999


def test_gaps_are_not_values():
    t, X = oscillator()
    X = X.copy()
    X[10:20, 0] = np.nan
    found = dynamics(t, X, names=["x", "v"])
    assert str(found.equations["x"]) == "v"


def test_uneven_times_are_as_good_as_even_ones():
    t = np.sort(np.random.default_rng(0).uniform(0, 6, 200))
    x = 5 / (1 + 9 * np.exp(-1.2 * t))
    found = dynamics(t, x, names=["x"])
    assert found.derivative([[1.0], [5.0]])[:, 0] == pytest.approx([0.96, 0.0], abs=1e-5)


@pytest.mark.parametrize(
    ("t", "word"),
    [
        ([0, 1, 1, 2], "occurs twice"),
        ([0, 2, 1, 3], "before the one above"),
        ([0, 1, np.nan, 3], "needs a time"),
    ],
)
def test_bad_times_are_refused_in_one_line(t, word):
    t = np.concatenate([t, np.arange(4, 20)])
    with pytest.raises(InputError, match=word) as refusal:
        trajectory.series(t, np.sin(t))
    assert "\n" not in str(refusal.value)


def test_too_few_rows_and_other_orders_are_refused():
    with pytest.raises(InputError, match="only 3 usable rows; a law of motion needs 8"):
        dynamics([0.0, 1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="order is 3"):
        dynamics(0.1, np.sin(np.arange(30.0)), order=3)


def test_a_constant_state_is_named():
    t = np.linspace(0, 1, 30)
    data = trajectory.series(t, np.column_stack([t**2, np.ones(30)]), names=["a", "b"])
    assert "b never changes" in " ".join(data.notes)


def test_divergence_is_an_outcome_and_ends():
    import sympy

    x = sympy.Symbol("x", real=True)
    t = np.linspace(0, 5, 50)
    run = follow({"x": x**2}, [1.0], t)  # 1/(1 - t), gone at t = 1
    assert run.outcome == "diverged"
    assert np.isfinite(run.X[:8]).all() and np.isnan(run.X[-1, 0])
    run = follow({"x": -1 / x}, [1.0], t)  # sqrt(1 - 2 t), undefined after 1/2
    assert run.outcome in ("undefined", "diverged", "too slow")
    assert np.isnan(run.X[-1, 0])


def test_a_simulation_that_judges_gives_up_early_and_keeps_what_it_has(monkeypatch):
    import sympy

    monkeypatch.setattr(simulation, "JUDGED", 200)
    monkeypatch.setattr(simulation, "JUDGED_A_ROW", 2)
    time, grid = sympy.Symbol("t", real=True), np.linspace(0, 5, 50)
    law = {"x": 100 * sympy.cos(100 * time)}  # eighty waves, a thousand evaluations
    judged, told = follow(law, [0.0], grid, judging=True), follow(law, [0.0], grid)
    assert (judged.outcome, told.outcome) == ("too slow", "followed")
    np.testing.assert_allclose(told.X[:, 0], np.sin(100 * grid), atol=1e-6)
    known = np.isfinite(judged.X[:, 0])
    assert 0 < known.sum() < 25 and not np.isfinite(judged.X[-1, 0])
    np.testing.assert_allclose(judged.X[known], told.X[known], atol=1e-3)


def test_smooth_slopes_of_clean_and_noisy_rows():
    t = np.linspace(0, 10, 200)
    x, slope = np.sin(2 * t), 2 * np.cos(2 * t)
    assert np.abs(smooth(t, x).slope(t) - slope).max() < 1e-5
    noisy = smooth(t, x + 0.05 * np.random.default_rng(0).normal(size=200))
    assert noisy.noise.mean() == pytest.approx(0.05, rel=0.2)
    assert np.sqrt(np.mean((noisy.slope(t) - slope) ** 2)) < 0.25


def test_best_subsets_undo_an_early_choice():
    rng = np.random.default_rng(1)
    A = rng.normal(size=(100, 12))
    A[:, 0] = A[:, 3] + A[:, 7] + 0.1 * rng.normal(size=100)  # tempting alone, wrong beside others
    y = 2 * A[:, 3] + 2 * A[:, 7]
    found = dict(best_subsets(A, y, largest=2))
    assert (3, 7) in found
    assert found[(3, 7)] == pytest.approx([2, 2])


def test_other_files_are_no_dynamics():
    with pytest.raises(FormatError, match="dynamics"):
        Dynamics.from_dict({"format": 1})


def test_command_prints_equations_and_writes_exports(tmp_path):
    from click.testing import CliRunner

    from kansym.cli import main

    t, X = oscillator()
    table = tmp_path / "swing.csv"
    table.write_text(
        "t,x,v\n" + "\n".join(f"{a!r},{b!r},{c!r}" for a, (b, c) in zip(t.tolist(), X.tolist(), strict=True))
    )
    out = tmp_path / "out"
    done = CliRunner().invoke(main, ["dynamics", str(table), "--time", "t", "--quiet", "--out", str(out)])
    assert "dx/dt = v" in done.output
    code = (out / "equations.py").read_text()
    names: dict = {}
    exec(compile(code, "equations.py", "exec"), names)  # our own text, written a line above
    assert names["slopes"](0.0, [1.0, 0.0])[0] == 0.0
    assert names["slopes"](0.0, [1.0, 0.0])[1] == pytest.approx(-4, abs=1e-6)
    assert json.loads((out / "dynamics.json").read_text())["kind"] == "dynamics"


def test_estimator_has_pysindys_names(capsys):
    from kansym import KansymDynamics

    t, X = oscillator()
    model = KansymDynamics().fit(X, t=t, feature_names=["x", "v"])
    assert model.score(X, t) > 0.9999
    model.print()
    assert capsys.readouterr().out.startswith("(x)' = v")
    assert model.predict(X[:3]).shape == (3, 2)
    with pytest.raises(InputError, match="not fitted"):
        KansymDynamics().predict(X)


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("time (s)", [0, 1, 3], True),
        ("years", [1900, 1901, 1902], True),
        ("t", [0, 2, 1], False),
        ("temperature", [0, 1, 2], False),
        ("t", [0], False),
    ],
)
def test_a_column_that_looks_like_the_time_is_named(name, values, found):
    X = np.column_stack([np.zeros(len(values)), np.array(values, float)])
    assert time_column(("x", name), X) == (name if found else None)
    assert time_column(("x", name), X, {name: parse("K").exponents}) is None


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("Minutes", True),
        ("hour_2", True),
        ("t (after start)", True),
        ("t [min]", True),
        ("tide", False),
        ("T (°C)", False),
        ("T [K]", False),
        ("", False),
    ],
)
def test_names_of_times(name, time):
    assert called_a_time(name) is time


def test_two_terms_are_found_of_which_neither_is_worth_anything_alone():
    rng = np.random.default_rng(3)
    a, noise = rng.normal(size=200), rng.normal(size=200)
    partner = a + 1e-3 * noise  # the difference of two near twins is the law
    decoys = noise[:, None] + rng.normal(size=(200, 40))
    columns = np.column_stack([decoys, a, partner])
    found = {which for which, _ in best_subsets(columns, 1e3 * (partner - a), largest=2)}
    assert (40, 41) in found


def test_an_interrupt_returns_the_best_so_far(monkeypatch):
    from kansym.pipeline.motion import discovery

    looks = []

    def look(*arguments):
        looks.append(1)
        if len(looks) > 1:  # after sums over short windows gave a first system
            raise KeyboardInterrupt
        return original(*arguments)

    original = discovery.look
    monkeypatch.setattr(discovery, "look", look)
    t, X = oscillator(noise=0.02)
    found = dynamics(t, X, names=["x", "v"])
    assert found.stop_reason == "interrupted"
    assert found.derivative(np.array([[1.0, 0.0]]))[0, 1] == pytest.approx(-4, abs=0.2)


def test_columns_of_words_are_said_and_signs_of_numbers_are_heeded(tmp_path):
    path = tmp_path / "run.csv"
    rows = [f"{k};1.000,{k:02d};word" for k in range(30)]
    path.write_text("\n".join(["t;x;name", *rows]), encoding="utf-8")
    given = reading.arrays(read_table(path, decimal=",", thousands="."), "t")
    assert given["names"] == ["x"] and given["X"][1, 0] == 1000.01
    assert any("'name' holds text" in n and n.endswith("left out") for n in given["notes"])
