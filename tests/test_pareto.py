"""The front and its rules, against a plain definition and PySR's formulas."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kansym.base.errors import UnknownNameError
from kansym.judge import pareto

pairs = st.lists(st.tuples(st.integers(1, 20), st.floats(0, 10)), min_size=1, max_size=30)


@given(pairs)
def test_front_is_the_set_that_nothing_dominates(items):
    found = pareto.front(items, lambda t: t[0], lambda t: t[1])
    assert found == sorted(found)
    for c, l in items:
        assert any(fc <= c and fl <= l for fc, fl in found)
    for i, (c, l) in enumerate(found):
        assert not any(oc <= c and ol <= l for j, (oc, ol) in enumerate(found) if j != i)


def test_losses_below_the_floor_are_equal():
    assert pareto.front([(3, 1e-30), (9, 1e-32)], lambda t: t[0], lambda t: t[1], 1e-28) == [(3, 1e-30)]


def test_scores_are_pysrs():
    assert pareto.scores([1, 3, 4, 6], [8.0, 2.0, 0.0, 0.0]) == [0.0, math.log(4) / 2, math.inf, 0.0]


def rows(*columns):
    """Return rows of losses, sizes, lengths and, where given, left-out losses and numbers."""
    return [pareto.Row(*row) for row in zip(*columns, strict=True)]


def test_rules_pick_what_they_say():
    front = rows([9.0, 1.2, 1.0], [1, 3, 5], [4.0, 2.0, 1.0])
    assert pareto.choose(front, "accuracy") == 2
    assert pareto.choose(front, "score") == 1
    assert pareto.choose(front, "best") == 1
    assert pareto.choose(front, "description") == 2
    assert pareto.choose(rows([9.0, 3.0, 1.0], [1, 3, 5], [4.0, 2.0, 1.0]), "best") == 2
    with pytest.raises(UnknownNameError, match="did you mean 'accuracy'"):
        pareto.choose(front, "acuracy")


def test_of_lengths_alike_the_simpler_is_chosen():
    def chosen(lengths, sizes, *more):
        return pareto.choose(rows([2.0, 1.0], sizes, lengths, *more), "description")

    assert chosen([-10.4, -10.9], [3, 7]) == 0
    assert chosen([-10.0, -10.9], [3, 7]) == 1
    assert chosen([-10.4, -10.9], [5, 5]) == chosen([-10.4, -10.9], [5, 7]) == 1
    assert chosen([-10.4, -10.9], [5, 7], [0.0, 0.0], [2, 3]) == 0
    assert chosen([-292.3217875169669, -292.3217875170851], [5, 5]) == 0


def test_a_simpler_law_that_foretells_left_out_rows_far_worse_says_less():
    def chosen(heldout):
        return pareto.choose(rows([8.5, 0.6], [3, 8], [17.0, 16.4], heldout), "description")

    assert chosen([1.2, 0.9]) == chosen([2.5, 0.9]) == 0
    assert chosen([13.2, 0.9]) == 1
