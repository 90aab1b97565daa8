"""The rule where a training runs, against trainings timed on a card and on the CPU beside it."""

import pytest

from kansym.network.ensemble import Ensemble
from kansym.network.training import worth

FIRST_USE = 0.95
"""Seconds that a process's first training on the card took longer than its second (H200)."""

# 60 steps on 1000 rows, NVIDIA H100 and 16 cores: shape, networks, seconds on the card, on the CPU
TIMED = [
    ([2, 5, 1], 1, 0.126, 0.201),
    ([2, 5, 1], 4, 0.222, 0.676),
    ([2, 5, 1], 16, 0.438, 2.500),
    ([2, 5, 1], 64, 1.241, 7.966),
    ([2, 5, 1], 200, 3.468, 20.594),
    ([6, 5, 1], 1, 0.173, 0.596),
    ([6, 5, 1], 4, 0.267, 1.105),
    ([6, 5, 1], 16, 0.571, 4.113),
    ([6, 5, 1], 64, 1.669, 13.007),
    ([6, 5, 1], 200, 4.079, 35.717),
]


@pytest.mark.parametrize(("shape", "members", "card", "cpu"), TIMED)
def test_a_training_goes_where_it_ended_sooner(shape, members, card, cpu) -> None:
    stack = Ensemble(shape, seeds=range(members)).layers
    assert worth.device(stack, 1000, 60) == (cpu > card + FIRST_USE)


def test_gradients_alone_are_cheap_on_the_cpu() -> None:
    stack = Ensemble([6, 5, 1], seeds=range(16)).layers
    assert worth.device(stack, 1000, 60) and not worth.device(stack, 1000, 60, second=False)
