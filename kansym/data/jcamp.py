"""Spectra as JCAMP-DX has them: points in pairs, or ordinates at even steps, plain or packed.

This room gives a spectrum's points as lines with tabs between x and y; what they mean is for others to say.
Source: JCAMP-DX 4.24 (McDonald and Wilks, Applied Spectroscopy 42, 1988).
"""

from __future__ import annotations

import re

from kansym.base.errors import FormatError, InputError

CHECKED = 0.5
"""Ordinates are whole numbers before their factor: two that are one differ by less than this."""

UNITS = {
    "1/CM": "wavenumber [1/cm]",
    "MICROMETERS": "wavelength [um]",
    "NANOMETERS": "wavelength [nm]",
    "SECONDS": "time [s]",
    "MINUTES": "time [min]",
    "HZ": "frequency [Hz]",
}
"""Columns' names for the units of an abscissa that the standard lists."""

_LABEL = re.compile(r"##\s*([^=]*?)\s*=\s*(.*)")
_SQUEEZED = {sign: str(k) for k, sign in enumerate("@ABCDEFGHI")} | {
    sign: f"-{k}" for k, sign in enumerate("abcdefghi", 1)
}
_DIFFERENCE = {sign: str(k) for k, sign in enumerate("%JKLMNOPQR")} | {
    sign: f"-{k}" for k, sign in enumerate("jklmnopqr", 1)
}
_REPEATED = {sign: str(k) for k, sign in enumerate("STUVWXYZs", 1)}
_PACKED = re.compile(r"([@A-Ia-i%J-Rj-rS-Zs+-]|(?<![\d.])(?=[\d.]))(\d*\.?\d*(?:E[+-]\d+)?)")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[Ee][-+]\d+)?"  # E5 alone is 55, packed


def is_spectrum(raw: bytes) -> bool:
    """Tell whether a text is a spectrum in JCAMP-DX."""
    return re.match(rb"(?:\xef\xbb\xbf)?\s*##\s*TITLE\s*=", raw, re.IGNORECASE) is not None


def lines(raw: bytes, source: str) -> bytes:
    """Return a spectrum's points as text with tabs: a line of names, then x and y.

    Raises InputError for a file of several spectra, and FormatError for one whose points are not as many as
    it says, or whose check values differ from the ones before.
    """
    labels, rows, form = _labels(raw.decode("latin-1"), source)
    if not rows:
        raise FormatError(f"File {source} is a JCAMP-DX spectrum without points; copy it again.")
    if "++" in form:
        points = _even(labels, rows, source)
    else:
        numbers = [float(n) for row in rows for n in re.findall(_NUMBER, row)]
        fx, fy = (_number(labels, name, 1.0) for name in ("XFACTOR", "YFACTOR"))
        points = [(x * fx, y * fy) for x, y in zip(numbers[::2], numbers[1::2], strict=False)]
    count = round(_number(labels, "NPOINTS", len(points)))
    if count != len(points):
        raise FormatError(
            f"File {source} holds {len(points)} points where ##NPOINTS says {count}; copy it again."
        )
    head = UNITS.get(labels.get("XUNITS", "").upper(), labels.get("XUNITS", "").lower() or "x")
    tail = labels.get("YUNITS", "").lower() or "y"
    return "\n".join([f"{head}\t{tail}", *(f"{x:.15g}\t{y:.15g}" for x, y in points)]).encode()


def _labels(text: str, source: str) -> tuple[dict[str, str], list[str], str]:
    """Return a file's labels in capitals, the lines of its points and their form."""
    labels: dict[str, str] = {}
    rows: list[str] = []
    form, inside, blocks = "", False, 0
    for line in text.splitlines():
        line = line.partition("$$")[0].rstrip()
        found = _LABEL.match(line.lstrip())
        if found is None:
            rows += [line] if inside and line.strip() else []
            continue
        name = re.sub(r"[\s/_-]", "", found[1]).upper()
        inside = name in ("XYDATA", "XYPOINTS", "PEAKTABLE")
        blocks += inside
        if name == "NTUPLES" or blocks > 1:
            raise InputError(
                f"File {source} holds several spectra of JCAMP-DX; save the one that is meant as CSV."
            )
        form = found[2] if inside else form
        labels.setdefault(name, found[2].strip())
    return labels, rows, form


def _number(labels: dict[str, str], name: str, usual: float) -> float:
    """Return a label's number."""
    found = re.match(_NUMBER, labels.get(name, ""))
    return float(found[0]) if found else usual


def _even(labels: dict[str, str], rows: list[str], source: str) -> list[tuple[float, float]]:
    """Return the points of ordinates at even steps between the first x and the last."""
    ordinates: list[float] = []
    packed = False
    for row in rows:
        x = re.match(rf"\s*{_NUMBER}", row)
        found, difference = _ordinates(row[x.end() :] if x else row, source)
        if packed and found:  # behind a difference the line's last ordinate comes again
            if abs(found[0] - ordinates[-1]) > CHECKED:
                raise FormatError(
                    f"File {source}: a line of packed ordinates begins with {found[0]:g} where the last "
                    f"one ends with {ordinates[-1]:g}; copy it again."
                )
            found = found[1:]
        ordinates += found
        packed = difference
    fx, fy = (_number(labels, name, 1.0) for name in ("XFACTOR", "YFACTOR"))
    begins = re.match(rf"\s*({_NUMBER})", rows[0])
    first = _number(labels, "FIRSTX", float(begins[1]) * fx if begins else 0.0)
    step = _number(labels, "DELTAX", 1.0)
    last = _number(labels, "LASTX", first + step * (len(ordinates) - 1))
    each = (last - first) / max(1, len(ordinates) - 1)
    return [(first + each * i, y * fy) for i, y in enumerate(ordinates)]


def _ordinates(text: str, source: str) -> tuple[list[float], bool]:
    """Return a line's ordinates, and whether the last one was written as a difference."""
    values: list[float] = []
    step: float | None = None
    for sign, digits in _PACKED.findall(text.replace("?", " ")):
        try:
            if sign in _REPEATED:
                for _ in range(int(_REPEATED[sign] + digits) - 1):
                    values.append(values[-1] if step is None else values[-1] + step)
            elif sign in _DIFFERENCE:
                step = float(_DIFFERENCE[sign] + digits)
                values.append(values[-1] + step)
            else:
                step = None
                values.append(float(_SQUEEZED.get(sign, sign) + digits))
        except (ValueError, IndexError):
            raise FormatError(f"File {source} has ordinates that are none: {text.strip()[:30]!r}.") from None
    return values, step is not None
