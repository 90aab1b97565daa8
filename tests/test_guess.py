"""A person's formula is read with its constants and bounds, fitted as it stands, and shown."""

import numpy as np
import pytest

from kansym.base.errors import InputError
from kansym.data.dataset import from_arrays
from kansym.functions.library import Library
from kansym.judge.guess import Guess
from kansym.judge.trial import Trial
from kansym.pipeline.flow import Options, search

rng = np.random.default_rng(0)
S = np.linspace(0.2, 12, 25)[:, None]
V = 11.7 * S[:, 0] / (2.9 + S[:, 0])
TABLE = from_arrays(S, V + 0.05 * rng.normal(size=25), ["S"])


def judged(text):
    return Guess.parse(text, ["S"]).judged(Trial.of(TABLE, Library.load("default"), 0), TABLE)


def test_named_constants_are_fitted():
    law = judged("V*S/(K + S)")
    found = {c.name: (c.value, c.stderr) for c in law.polished.free}
    for name, truth in (("V", 11.7), ("K", 2.9)):
        value, error = found[name]
        assert abs(value - truth) < 4 * error < 0.3


def test_bounds_hold():
    law = judged("V*S/(K + S); 0 < K < 2; V > 1")
    found = {c.name: c.value for c in law.polished.free}
    assert found["K"] == pytest.approx(2.0, abs=1e-3) and found["V"] > 1


def test_numbers_are_fitted_and_not_rounded():
    law = judged("10.0*S/(3.0 + S)")
    assert law.loss < 0.01 and len(law.polished.theta) == 2
    assert str(judged("2*S").expression) == "2*S"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("V*S; L > 0", "no constant of it"),
        ("V*S; V ~ 3", "write for instance"),
        ("V*S; 3 < V < 2", "leaves no room"),
        ("frob(S)", "frob"),
    ],
)
def test_what_is_no_guess_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        Guess.parse(text, ["S"])


def test_a_guess_is_on_the_front_marked_as_theirs():
    run = search(TABLE, Options(guesses=("c*exp(-k*S)",), time_limit=3.0, effort=0.01))
    (theirs,) = [law for law in run.front if law.source.startswith("guess")]
    assert "your guess c*exp(-k*S)" in theirs.note and {c.name for c in theirs.constants} == {"c", "k"}


def test_a_guess_that_is_the_chosen_law_keeps_its_names():
    x = np.linspace(1, 15, 40)
    y = 80 * (1 - np.exp(-0.2 * (x + 1))) + np.random.default_rng(1).normal(0, 1, 40)
    run = search(from_arrays(x, y, ["age"]), Options(guesses=("L*(1-exp(-K*(age-t0)))",), time_limit=4.0))
    assert run.best.source.startswith("guess")
    found = {c.name: (c.value, c.stderr) for c in run.best.constants}
    for name, truth in (("L", 80), ("K", 0.2), ("t0", -1)):
        value, error = found[name]
        assert abs(value - truth) < 4 * error < 4


def test_what_e_means_is_said_unless_it_is_plain():
    options = Options(guesses=("V*S/(e + S)", "c*e**(-k*S)"), time_limit=3.0, effort=0.01)
    run = search(TABLE, options)
    said = {law.source: "Euler's number 2.718; name it otherwise" in law.note for law in run.front}
    assert said["guess: V*S/(e + S)"] and not said["guess: c*e**(-k*S)"]
    named = from_arrays(S, TABLE.y, ["e"])
    run = search(named, Options(guesses=("V*e/(K + e)",), time_limit=3.0, effort=0.01))
    assert not any("Euler" in law.note for law in run.front)


def test_a_guess_that_is_undefined_is_told():
    run = search(TABLE, Options(guesses=("log(-S)",), time_limit=3.0, effort=0.01))
    assert any(step["event"] == "refused" and "log(-S)" in step["equation"] for step in run.history)


def test_a_guess_may_name_an_input_that_repeats_another():
    a, b = np.random.default_rng(0).uniform(1, 3, (2, 60))
    table = from_arrays(np.column_stack([a, 2 * a, b]), 3 * a / (1 + b), names=["a", "twin", "b"])
    run = search(table, Options(guesses=("k*twin/(1 + b)",), time_limit=3.0, effort=0.01))
    (theirs,) = [law for law in run.front if law.source.startswith("guess")]
    assert "twin" in theirs.equation and [c.name for c in theirs.constants] == ["k"]
