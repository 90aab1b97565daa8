"""Interrupts wait while compiled code is made, and act at once elsewhere."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from dataclasses import replace

import numba
import numpy as np
import pytest
from numba.core import event

from kansym.base import budget, interrupts
from kansym.base.budget import Budget, watchdog
from kansym.base.errors import InputError
from kansym.base.interrupts import shielded, unwrapped
from kansym.base.jit import njit
from kansym.data.dataset import from_arrays
from kansym.network.training import levenberg
from kansym.pipeline import flow
from kansym.pipeline.motion import dynamics
from kansym.search import registry
from kansym.search.structure.problem import problem
from kansym.search.tree import learned


class Alarm(Exception):
    """Stand for what a caller's handler raises."""


@pytest.fixture
def alarm():
    def ring(*_: object) -> None:
        raise Alarm

    old = signal.signal(signal.SIGALRM, ring)
    yield ring
    signal.signal(signal.SIGALRM, old)


def test_an_alarm_inside_acts_at_the_end(alarm) -> None:
    steps = []
    with pytest.raises(Alarm), shielded(), shielded():
        os.kill(os.getpid(), signal.SIGALRM)
        steps.append("went on")
    assert steps == ["went on"]
    assert signal.getsignal(signal.SIGALRM) is alarm


def test_without_a_signal_nothing_happens_and_handlers_return(alarm) -> None:
    with shielded():
        assert signal.getsignal(signal.SIGALRM) is not alarm
    assert signal.getsignal(signal.SIGALRM) is alarm
    with pytest.raises(Alarm):
        os.kill(os.getpid(), signal.SIGALRM)


def test_other_threads_may_use_it(alarm) -> None:
    def work() -> None:
        with shielded():
            seen.append(signal.getsignal(signal.SIGALRM))

    seen: list[object] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [alarm]


def test_the_watchdog_breaks_a_deaf_step_and_no_later_one() -> None:
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), watchdog(Budget(seconds=0.1)):
        while time.monotonic() < began + 20:
            sum(range(1000))
    assert time.monotonic() < began + 10
    time.sleep(0.05)


def test_the_watchdog_is_heard_where_ctrl_c_is_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt), watchdog(Budget(seconds=0.1)):
            signal.raise_signal(signal.SIGINT)  # a person's, before the time is up: still ignored
            while time.monotonic() < began + 20:
                sum(range(1000))
        assert time.monotonic() < began + 10
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_watchdog_waits_for_ever_without_complaint() -> None:
    with watchdog(Budget(seconds=float("inf"))):
        time.sleep(0.05)


def test_compilation_survives_alarms() -> None:
    # an alarm every few milliseconds while numba compiles without a cache: it must raise, and never crash
    code = """
    import signal
    import kansym.base.jit, numpy as np
    class Alarm(Exception): pass
    def ring(*_):
        raise Alarm
    signal.signal(signal.SIGALRM, ring)
    def make(k):
        @kansym.base.jit.njit(cache=False)
        def f(x):
            s = 0.0
            for i in range(x.size):
                s += np.sin(x[i]) * k
            return s
        return f
    raised = 0
    for k in range(6):
        signal.setitimer(signal.ITIMER_REAL, 0.02 * (k + 1))
        try:
            f = make(k)
            f(np.ones(3))
            while True:
                pass
        except Alarm:
            raised += 1
        assert f(np.ones(3)) == np.sin(1.0) * 3 * k or abs(f(np.ones(3)) - np.sin(1.0) * 3 * k) < 1e-12
    print(raised)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "6"


@pytest.mark.parametrize(("compiler", "held"), [(numba.njit, False), (njit, True)])
def test_only_our_own_compilation_is_shielded(alarm, compiler, held: bool) -> None:
    seen: list[object] = []

    class Look(event.Listener):
        def on_start(self, _event: event.Event) -> None:
            seen.append(signal.getsignal(signal.SIGALRM))

        def on_end(self, _event: event.Event) -> None:
            pass

    function = compiler(cache=False)(lambda x: x + 1)
    with event.install_listener("numba:compiler_lock", Look()):
        assert function(1) == 2
    assert seen
    assert all((handler is alarm) != held for handler in seen)


def test_the_deadline_waits_out_a_weak_references_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lost.append)
    began = time.monotonic()

    def busy() -> None:
        while time.monotonic() < began + 1.5:  # the first interrupt comes meanwhile
            sum(range(1000))

    with pytest.raises(KeyboardInterrupt), watchdog(Budget(seconds=0.1)):
        thing = Alarm()
        weakref.finalize(thing, busy)
        del thing
        while time.monotonic() < began + 20:
            sum(range(1000))
    assert 1.5 < time.monotonic() - began < 10
    assert not lost  # Python prints and drops what is raised in there


def test_what_takes_long_to_load_is_not_begun_at_the_end(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert interrupts.loadable(None) and interrupts.loadable(60.0) and not interrupts.loadable(0.5)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert interrupts.loadable(0.5)


def test_networks_are_not_asked_where_torch_would_overrun_the_deadline(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    asked = []
    network = registry.network()
    late = replace(network, load=lambda: asked.append(1) or (lambda *a, **k: iter(())))
    table = from_arrays(np.arange(100.0)[:, None], np.arange(100.0), ["x"])
    assert list(late.propose(table, Budget(seconds=1.0), None, 0)) == [] and not asked
    assert list(late.propose(table, Budget(), None, 0)) == [] and asked


@pytest.mark.parametrize("later", [KeyboardInterrupt, Alarm])
def test_an_interrupt_of_the_conclusion_hurries_it_and_loses_nothing(monkeypatch, later):
    x = np.linspace(1, 2, 40)
    hurried, conclude = [], flow.conclude

    def interrupted(*args):
        hurried.append(args[-1].exhausted)
        if len(hurried) == 1:
            raise later
        return conclude(*args)

    monkeypatch.setattr(flow, "conclude", interrupted)
    if later is Alarm:
        with pytest.raises(Alarm) as stopped:
            flow.discover(x, 3 * x)
        run = stopped.value.run
    else:
        run = flow.discover(x, 3 * x)
        assert hurried == [False, True] and run.stop_reason == "interrupted"
    assert run.best.equation == "3*x0"


@pytest.mark.parametrize("steps", [0, 3])
def test_an_interrupt_of_a_networks_training_ends_the_search(monkeypatch, steps):
    taken, trial = [], levenberg._trial

    def interrupted(*args):
        taken.append(True)
        if len(taken) > steps:
            raise KeyboardInterrupt
        return trial(*args)

    monkeypatch.setattr(levenberg, "_trial", interrupted)
    X = np.random.default_rng(0).uniform(-1, 1, (900, 2))
    asked = problem(from_arrays(X, np.sin(3 * X[:, 0] * X[:, 1]), ["a", "b"]))
    with pytest.raises(KeyboardInterrupt):
        learned.smooth(asked)
    assert len(taken) == steps + 1


def test_an_interrupt_in_a_callback_of_the_garbage_collector_would_be_lost():
    seen = []

    def callback(phase: str, info: object) -> None:
        seen.append(budget._dropped(sys._getframe()))

    gc.callbacks.append(callback)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(callback)
    assert seen and all(seen)
    assert not budget._dropped(sys._getframe())


def test_an_interrupt_in_compiled_code_keeps_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython makes it the cause of a SystemError where a compiled function returns beside an exception."""
    from kansym.pipeline import flow

    explored = flow._Passes.explored

    def broken(passes: flow._Passes) -> str:
        """Search, and be interrupted in compiled code after it."""
        explored(passes)
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()

    monkeypatch.setattr(flow._Passes, "explored", broken)
    x = np.linspace(1, 5, 40)
    run = flow.discover(x[:, None], 2 * x + 3, effort=0.05)
    assert run.best.exact and run.stop_reason == "interrupted"


def test_another_error_of_compiled_code_stays_as_it_was() -> None:
    with pytest.raises(KeyboardInterrupt), unwrapped():
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()
    with pytest.raises(SystemError), unwrapped():
        raise SystemError("of another cause") from ValueError()


def test_an_interrupt_in_compiled_code_ends_a_search_for_motion_in_a_line(monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()

    monkeypatch.setattr(dynamics, "find", broken)
    t = np.linspace(0, 5, 60)
    with pytest.raises(InputError, match="interrupted"):
        dynamics.dynamics(t, np.exp(-t / 2)[:, None])
