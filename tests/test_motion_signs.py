"""What is said of time series beside their laws: gaps, what is unseen, what never changes, what diverges."""

import numpy as np
import pytest

from kansym.base.budget import Budget
from kansym.base.errors import InputError
from kansym.pipeline.motion import discovery, trajectory
from kansym.pipeline.motion.discovery import Found, steady
from kansym.pipeline.motion.dynamics import dynamics
from kansym.pipeline.motion.integral import motion
from kansym.pipeline.motion.shooting import System, segments, shoot
from kansym.pipeline.motion.trajectory import series
from kansym.pipeline.motion.unseen import aliased, unseen


def test_a_long_gap_makes_two_runs_and_growing_steps_do_not():
    t = np.concatenate([np.linspace(0, 3, 40), np.linspace(30, 33, 40)])
    found = series(t, np.exp(-0.1 * t), names=["x"])
    assert [run.rows for run in found.runs] == [40, 40]
    assert any("from 3 to 30" in note for note in found.notes)
    slow = np.geomspace(0.1, 100, 60)
    assert len(series(slow, slow, names=["x"]).runs) == 1
    few = np.concatenate([np.linspace(0, 3, 40), np.linspace(30, 31, 4)])
    assert len(series(few, few, names=["x"]).runs) == 1


def test_times_at_random_have_no_gaps():
    for seed in range(20):
        t = np.sort(np.random.default_rng(seed).uniform(0, 10, 250))
        assert len(series(t, np.exp(-0.1 * t), names=["x"]).runs) == 1


@pytest.mark.parametrize(
    ("drive", "held"),
    [([0, 0, 0, 5, 5, 5, 2, 2], 5.0), ([0, 0, 0, 5, 7, 8, 6, 2], 6.0), ([1, 1, 1, 1, 1, 1, 1, 1], 1.0)],
)
def test_a_switch_holds_and_what_flows_is_read_by_straight_lines(drive, held):
    found = trajectory.between(np.array([3.5, 0.0, 7.0]), np.arange(8.0), np.array(drive, float)[:, None])
    assert found[:, 0] == pytest.approx([held, drive[0], drive[-1]])


def test_a_switched_heater_warms_by_its_law():
    t = np.linspace(0, 10, 120)
    power = np.where(np.floor(t / 1.7) % 2 == 0, 1.5, 0.2)
    room = [2.0]
    for k, step in enumerate(np.diff(t)):  # T' = -T/2 + 3 power, power held until the next row
        rest = 6 * power[k]
        room.append(rest + (room[-1] - rest) * np.exp(-step / 2))
    found = dynamics(t, room, names=["T"], inputs=power, input_names=["power"])
    assert found.derivative([[1.0], [0.0]], inputs=[[0.0], [1.0]])[:, 0] == pytest.approx([-0.5, 3], abs=1e-3)
    assert str(found.equations["T"]) == "-T/2 + 3*power"
    assert found.score(room, t, inputs=power) > 0.999999


def test_rows_from_the_last_time_to_the_first_are_turned_around():
    t = np.linspace(0, 3, 30)
    found = series(t[::-1], np.exp(-t)[::-1], names=["x"])
    assert np.all(np.diff(found.runs[0].t) > 0) and found.runs[0].X[0, 0] == 1
    assert any("turned around" in note for note in found.notes)
    with pytest.raises(InputError, match="before the one above"):
        series([0, 2, 1, 3, 4, 5, 6, 7, 8], np.ones(9))


def test_a_state_that_never_changes_has_no_slope_and_moves_nothing():
    t = np.linspace(0, 4, 120)
    found = dynamics(t, np.column_stack([np.exp(-t), np.full(120, 3.0)]), names=["x", "c"])
    assert found.equations["c"] == 0 and found.couplings == {"x": ("x",), "c": ()}
    assert found.heldout["c"] == 1 and "Followed over" in found.trust


def judged(moving, text):
    """Return a right side of the only state as a system fitted to its rows."""
    rival = candidates(moving, text)
    shot = shoot(System.of([rival[0].expression], moving), segments(moving))
    return Found(shot, (rival,), moving, 0.0, "")


def test_positions_alone_are_told_from_a_season():
    t, noise = np.linspace(0, 12, 150), 0.01 * np.random.default_rng(0).normal(size=150)
    swings = motion(series(t, np.exp(-0.15 * t) * np.cos(2 * t) + noise, names=["x"]))
    notes = " ".join(unseen(judged(swings, "-1.5*sin(2.0*t)"), swings))
    assert "times the noise" in notes and "turns back" in notes and "--order 2" in notes
    # x' = -x + sin(2 t) + exp(-t), a season, has no shorter law of forces
    forced = (np.sin(2 * t) - 2 * np.cos(2 * t)) / 5 + 3 * np.exp(-t)
    season = motion(series(t, forced + noise, names=["x"]))
    notes = " ".join(unseen(judged(season, "-1.0*x + 1.0*sin(2.0*t)"), season))
    assert "turns back" in notes and "--order 2" not in notes and "noise" not in notes


def test_rows_too_far_apart_are_spoken_of(decay):
    t = np.arange(60.0)
    fast = motion(series(t, np.column_stack([np.exp(-t / 9), np.cos(2.9 * t)]), names=["x", "y"]))
    assert [note[:9] for note in aliased(fast)] == ["y changes"] and aliased(decay) == []


def test_a_state_that_falls_only_shows_nothing_unseen(decay):
    assert unseen(judged(decay, "-1.0*x"), decay) == []


def test_growth_is_no_chaos():
    t = np.linspace(0, 12, 200)
    found = dynamics(t, np.exp(t / 2), names=["x"])
    assert found.lyapunov == 0 and "Chaotic" not in found.trust


@pytest.fixture(scope="module")
def decay():
    t = np.linspace(0, 4, 100)
    rng = np.random.default_rng(1)
    return motion(series(t, 2 * np.exp(-t) + 0.01 * rng.normal(size=100), names=["x"]))


def candidates(moving, *texts):
    from kansym.functions.parsing import parse_expression
    from kansym.pipeline.motion.candidates import Candidate

    formulas = [parse_expression(text, moving.names) for text in texts]
    return tuple(Candidate(f, 1.0, 100, 1.0) for f in formulas)


def test_what_diverges_gives_way_to_what_can_be_followed(decay):
    cut = segments(decay)
    offered = candidates(decay, "-1.01*x", "-0.5*x")
    shot = shoot(System.of([offered[0].expression], decay), cut)
    wild = candidates(decay, "x**2 + 9.5")[0].expression
    broken = Found(shot.__class__(**{**vars(shot), "system": System.of([wild], decay),
                                     "theta": np.array([9.5])}), (offered,), decay, 0.0, "")  # fmt: skip
    again = steady(broken, decay, Budget())
    assert again is not None and again.shot.theta[0] == pytest.approx(-1, abs=0.02)
    hopeless = Found(broken.shot, (candidates(decay, "x**2 + 9.5"),), decay, 0.0, "")
    assert steady(hopeless, decay, Budget()) is None
    assert discovery.steady(None, decay, Budget()) is None


def test_the_least_rows_of_a_part_are_those_of_a_run():
    t = np.concatenate([np.linspace(0, 1, 20), np.linspace(9, 10, trajectory.FEWEST_ROWS)])
    assert len(series(t, t, names=["x"]).runs) == 2
