"""Large arrays that are dropped are the system's again, and a search takes one core."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg
from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits

import kansym
from kansym.base import memory

KEPT = """
import sys
import numpy as np
from kansym.base import memory
if "give" in sys.argv:
    assert memory.give_back()
def resident():
    return int(open("/proc/self/status").read().partition("VmRSS:")[2].split()[0]) / 1024
np.ones(3_000_000)  # 24 MB, freed at once: from now on the library keeps what is smaller
before, small = resident(), []
for _ in range(20):
    large = np.ones(500_000)
    small.append(bytearray(2000))  # something small that lies above it
    large = [large, np.ones(500_000)]
    small.append(bytearray(2000))
    del large
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="another system's library")
def test_dropped_arrays_are_returned():
    done = subprocess.run([sys.executable, "-c", KEPT, "give"], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 2.0  # MB; 11 without it


def test_another_library_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.give_back() is False


def threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_a_search_takes_one_core_and_gives_the_others_back():
    assert scipy.linalg.norm(np.ones(4)) == 2  # has a library of its own
    seen, t = [], np.linspace(0, 4, 60)
    with threadpool_limits(2, "blas"):
        kansym.discover("planets", effort=0.0, progress=lambda report: seen.append(threads()))
        kansym.dynamics(t, 3 * np.exp(-0.5 * t), names=["x"], progress=lambda report: seen.append(threads()))
        assert threads() == {2}
    assert seen and set.union(*seen) == {1}


def test_a_search_opens_no_list_of_libraries(monkeypatch):
    # opened within the reach of an interrupt it would stay open
    network = kansym.KAN([1, 1])

    def opened(self):
        raise AssertionError("the loaded libraries were listed")

    monkeypatch.setattr(ThreadpoolController, "_load_libraries", opened)
    assert kansym.discover("planets", effort=0.0).best is not None
    network.fit(np.linspace(0, 1, 20)[:, None], np.linspace(0, 1, 20), steps=2)
