"""Shipped tables: each has a whole card, and its law holds on its rows."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from kansym.base import resources
from kansym.data.dataset import from_table
from kansym.data.table import shipped, shipped_cards
from kansym.data.units import parse
from kansym.functions.parsing import parse_expression

NAMES = ["balmer", "expsine", "firas", "hubble", "knots", "lynx_hare", "planets"]


def test_these_are_shipped():
    assert sorted(shipped_cards()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_card_says_everything(name):
    table = shipped(name)
    card = table.card
    assert card is not None
    for field in (card.title, card.source, card.licence, card.law, card.target):
        assert field
    described = {card.target, *card.inputs} | ({card.sigma} if card.sigma else set())
    assert described <= set(table.names)
    assert set(card.columns) <= set(table.names)
    if name != "knots":
        assert described <= set(card.units)
    for unit in card.units.values():
        parse(unit)
    data = from_table(table)
    assert data.names == card.inputs and data.target == card.target
    assert not any("left out" in n or "dropped" in n for n in data.notes)
    assert (resources.folder("datasets") / card.table).stat().st_size < 1_000_000


def residual(name, law):
    data = from_table(name)
    formula = parse_expression(law, data.names)
    symbols = [sympy.Symbol(n, real=True) for n in data.names]
    return data, sympy.lambdify(symbols, formula)(*data.X.T) - data.y


def test_planets():
    data, rest = residual("planets", "semi_major_axis^(3/2)")
    assert data.rows == 8 and data.absolute
    assert np.abs(rest / data.y).max() < 1e-3, "within the floor that the card states"
    assert np.abs(rest[:4] / data.y[:4]).max() < 5e-5


def test_hubble():
    data, rest = residual("hubble", "423.9*distance")
    assert data.rows == 24
    assert abs(data.X[:, 0] @ rest) < 1e-4 * (data.X[:, 0] ** 2).sum() * 423.9


def test_balmer():
    data, rest = residual("balmer", "3646.0*n^2/(n^2-4)")
    assert data.rows == 7 and np.abs(rest).max() < 0.2


def test_firas():
    c2 = 1.438776877  # h c / k in cm K
    data, rest = residual("firas", f"3.972894e-1*100*wavenumber^3/(exp({c2}/2.725*wavenumber)-1)")
    assert data.rows == 43 and data.absolute
    assert np.allclose(data.weights**-0.5 * 1000, [14, *(data.weights[1:] ** -0.5 * 1000)])
    assert np.sqrt(np.mean(data.weights * rest**2)) < 2, "in units of sigma, turned from kJy/sr into MJy/sr"


def test_expsine():
    data, rest = residual("expsine", "exp(sin(pi*x)+y^2)")
    assert data.rows == 1000 and np.abs(rest).max() < 1e-14


def test_expsine_is_what_the_script_makes():
    import runpy
    from pathlib import Path

    script = Path(__file__).parents[1] / "scripts" / "make_datasets.py"
    made = runpy.run_path(str(script))["expsine"]()
    assert made == (resources.folder("datasets") / "expsine.csv").read_text()


def test_knots():
    data = from_table("knots")
    assert data.X.shape == (12954, 17)
    real, imag = data.column("meridinal_translation_real"), data.column("meridinal_translation_imag")
    longitude = data.column("longitudinal_translation")
    assert np.allclose(longitude * imag / 2, data.column("cusp_volume"), rtol=1e-8)
    slope = longitude * real / (real**2 + imag**2)
    assert np.corrcoef(slope, data.y)[0, 1] == pytest.approx(0.971, abs=5e-4)
    assert np.mean(2 * np.round(0.425 * slope / 2) == data.y) == pytest.approx(0.858, abs=0.002)
