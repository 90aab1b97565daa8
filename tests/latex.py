"""Read the LaTeX that kansym writes back as numbers, to see that it says what it should."""

from __future__ import annotations

import math
import re

import numpy as np
import scipy.special as sp

NAMED = {
    "sign": np.sign,
    "sech": lambda x: 1 / math.cosh(x),
    "coth": lambda x: 1 / math.tanh(x),
    "sinc": lambda x: math.sin(x) / x,
    "loggamma": sp.gammaln,
    "Si": lambda x: sp.sici(x)[0],
    "Ci": lambda x: sp.sici(x)[1],
    "Li2": lambda x: sp.spence(1 - x),
    "Gamma": sp.gamma,
    "theta": lambda x: np.heaviside(x, 0.5),
    "max": max,
    "Ai": lambda x: sp.airy(x)[0],
    "Bi": lambda x: sp.airy(x)[2],
    "J0": sp.j0,
    "J1": sp.j1,
    "Y0": sp.y0,
    "I0": sp.i0,
    "K0": sp.k0,
    "K": sp.ellipk,
    "E": sp.ellipe,
    "W": lambda x: sp.lambertw(x).real,
}
"""Functions that the module math lacks, by their name in LaTeX."""


class Latex:
    """Evaluate a formula in LaTeX at given values of its letters."""

    token = re.compile(r"\s*(\\(?:left|right|cdot)\b\s*|\\[A-Za-z]+|[AB]i\b|\d+\.?\d*|.)")

    def __init__(self, text: str, values: dict[str, float]) -> None:
        self.tokens = [
            t.strip() for t in self.token.findall(text) if t.strip() not in (r"\left", r"\right", "")
        ]
        self.at, self.values = 0, values

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def sum(self) -> float:
        value = -self.product() if self.peek() == "-" and self.take() else self.product()
        while self.peek() in ("+", "-"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        return value

    def product(self) -> float:
        value = self.power()
        while self.peek() not in ("", "+", "-", "}", ")", "|", ","):
            if self.peek() == r"\cdot":
                self.take()
            value *= self.power()
        return value

    def power(self) -> float:
        value = self.atom()
        if self.peek() == "^":
            self.take()
            value = value ** self.atom()
        return value

    def group(self, close: str) -> float:
        value = self.sum()
        assert self.take() == close
        return value

    def arguments(self) -> list[float]:
        close = {"{": "}", "(": ")"}[self.take()]
        found = self.arguments() if close == "}" and self.peek() == "(" else [self.sum()]
        while self.peek() == ",":
            self.take()
            found.append(self.sum())
        assert self.take() == close
        return found

    def word(self) -> str:
        assert self.take() == "{"
        letters = ""
        while self.peek() != "}":
            letters += self.take()
        self.take()
        return letters

    def atom(self) -> float:
        t = self.take()
        if t in ("{", "("):
            return self.group({"{": "}", "(": ")"}[t])
        if t == "|":
            return abs(self.group("|"))
        if t == r"\frac":
            return self.atom() / self.atom()
        if t == r"\sqrt":
            if self.peek() == "[":
                degree = [self.take(), self.take(), self.take()][1]
                return self.atom() ** (1 / float(degree))
            return math.sqrt(self.atom())
        if t == r"\pi":
            return math.pi
        if t == "e":
            return math.e
        if t[0].isdigit():
            return float(t)
        if t in self.values:
            return self.values[t]
        name = self.word() if t == r"\operatorname" else t.removeprefix("\\")
        power = 1.0
        if self.peek() == "_":
            self.take()
            name += self.word()
        if self.peek() == "^":
            self.take()
            power = self.atom()
        function = NAMED.get(name) or getattr(math, name)
        return float(function(*self.arguments())) ** power
