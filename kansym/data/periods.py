"""Months, quarters and weeks of a year as the date on which they begin; names of months.

This room knows texts; that dates become days is `dates`' job.
"""

from __future__ import annotations

import datetime
import re

MONTHS = (
    "january janvier januar januari enero gennaio janeiro jänner jan janv ene gen",
    "february février fevrier februar februari febrero febbraio fevereiro feb févr fevr fev fév",
    "march mars märz maerz maart marzo março mar mär mrz mrt",
    "april avril abril aprile apr avr abr",
    "may mai mei mayo maggio maio mag",
    "june juin juni junio giugno junho jun giu",
    "july juillet juli julio luglio julho jul juil lug",
    "august août aout augustus agosto aug aoû ago",
    "september septembre septiembre settembre setembro sep sept set",
    "october octobre oktober octubre ottobre outubro oct okt ott out",
    "november novembre noviembre novembro nov",
    "december décembre decembre dezember diciembre dicembre dezembro dec dez déc dic",
)
"""Names of the months in tongues of western Europe, and how they are cut short."""

CENTURY = 70
"""Years of two digits from this one on are of the last century, as spreadsheets have it."""

_DAY = re.compile(
    r"(?P<day>\d{1,2})(?:\.|e|er|st|nd|rd|th)?[-/ ]+(?:de )?(?P<name>[^\W\d_]{3,10})\.?,?[-/ ]+(?:de )?"
    r"(?P<year>\d{4}|\d{2})(?::(?=\d{2}:))?(?P<clock>.*)"
)
_OF_YEAR = re.compile(r"(?P<year>(?:19|20)\d\d)[-/](?P<day>\d{3})(?P<clock>(?:[T :].*)?)")
_COLONS = re.compile(r"(\d{4}):(\d{2}):(\d{2})(?= |T|$)")
_NUMBERS = {name: k for k, names in enumerate(MONTHS, 1) for name in names.split()}
_QUARTER = re.compile(r"(?P<year>\d{4})[-/ .]?Q(?P<at>[1-4])|Q(?P<first>[1-4])[-/ .']?(?P<then>\d{4})")
_WEEK = re.compile(
    r"(?P<year>\d{4})[- ]?K?W[- ]?(?P<at>\d{1,2})|K?W[- ]?(?P<first>\d{1,2})[-/ ](?P<then>\d{4})"
)
_MONTH = re.compile(
    r"(?P<first>[^\W\d_]{3,10})\.?(?:[-/ ,]+(?P<then>\d{4})|(?:-| ?')(?P<short>\d{2}))"
    r"|(?P<year>\d{4})[-/ ]+(?P<at>[^\W\d_]{3,10})\.?"
)
_COUNTED = re.compile(r"(\d{4})[- ]?M(\d{2})")


def month(name: str) -> int | None:
    """Return a month's number by its name; None for another word.

    >>> month("März"), month("sept."), month("juillet"), month("Monday")
    (3, 9, 7, None)
    """
    return _NUMBERS.get(name.strip().rstrip(".").lower())


def plain_date(text: str) -> str:
    """Return a date with the month's name, the day of the year, or colons in ISO's form; others as they are.

    >>> plain_date("3. März 2023 12:30"), plain_date("14/Sep/2023:12:30:05"), plain_date("2023-045")
    ('2023-03-03 12:30', '2023-09-14 12:30:05', '2023-02-14')
    """
    text = _COLONS.sub(r"\1-\2-\3", text.strip())
    if (found := _OF_YEAR.fullmatch(text)) and 1 <= int(found["day"]) <= 366:
        day = datetime.date(int(found["year"]) or 1, 1, 1) + datetime.timedelta(int(found["day"]) - 1)
        return f"{day.isoformat()}{found['clock']}" if day.year == int(found["year"]) else text
    found = _DAY.fullmatch(text)
    number = month(found["name"]) if found else None
    if found is None or number is None:
        return text
    return f"{full_year(found['year'])}-{number:02d}-{int(found['day']):02d} {found['clock'].strip()}".strip()


def full_year(year: str | int) -> int:
    """Return a year of two or four digits with its century."""
    return int(year) if int(year) > 99 else int(year) + (1900 if int(year) >= CENTURY else 2000)


def begins(text: str) -> str | None:
    """Return the date on which a quarter, an ISO week or a month of a year begins; None for another text.

    >>> begins("2020 Q3"), begins("2023-W01"), begins("Okt 2023"), begins("Jan-98"), begins("1 Jan 2023")
    ('2020-07-01', '2023-01-02', '2023-10-01', '1998-01-01', None)
    """
    text = text.strip()
    if found := _QUARTER.fullmatch(text.upper()):
        return f"{found['year'] or found['then']}-{3 * int(found['at'] or found['first']) - 2:02d}-01"
    if found := _WEEK.fullmatch(text.upper()):
        try:
            week = int(found["at"] or found["first"])
            return datetime.date.fromisocalendar(int(found["year"] or found["then"]), week, 1).isoformat()
        except ValueError:  # a week that the year does not have
            return None
    if (found := _COUNTED.fullmatch(text)) and 1 <= int(found[2]) <= len(MONTHS):
        return f"{found[1]}-{found[2]}-01"
    found = _MONTH.fullmatch(text)
    number = month(found["at"] or found["first"]) if found else None
    if found is None or number is None:
        return None
    return f"{full_year(found['year'] or found['then'] or found['short'])}-{number:02d}-01"
