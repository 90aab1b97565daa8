"""Each thing that can be wrong with a table: one clear line, or a repair that is said."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from kansym.base.errors import InputError, KansymError, counted
from kansym.data.dataset import from_arrays, from_table
from kansym.data.table import read_table
from kansym.functions.library import Library
from kansym.functions.parsing import parse_expression
from kansym.pipeline.motion.reading import arrays
from kansym.pipeline.motion.trajectory import series

X = np.linspace(1, 2, 12)


def frame(**columns):
    return pd.DataFrame({"a": X, **columns, "y": X**2})


def refused(data, match, **options):
    with pytest.raises(KansymError, match=match) as caught:
        from_table(data, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def note(data, match, **options):
    dataset = from_table(data, **options)
    assert any(match in n for n in dataset.notes), dataset.notes
    return dataset


def test_one_row():
    refused(frame().head(1), "1 row of numbers cannot show a law; at least 3")


def test_a_column_of_text():
    text = frame(name=[f"planet {i}" for i in range(12)])
    data = note(text, "column 'name' holds text ('planet 0'), not numbers: left out")
    assert data.names == ("a",) and data.columns == (0,)
    refused(text, r"Column 'name' holds text \('planet 0'\)", inputs=["name"])
    refused(text, r"Target 'name' holds text", target="name")
    refused(text[["name", "y"]], "no input columns of numbers.*'name' holds text")


@pytest.mark.parametrize(
    ("dates", "says"),
    [(pd.date_range("2020-01-01", periods=12), "days since 2020-01-01"),
     ([f"2020-01-{i + 1:02d}" for i in range(12)], "days since 2020-01-01"),
     (pd.to_timedelta(range(12), unit="D"), "durations: taken in days")],
)  # fmt: skip
def test_dates(dates, says):
    data = note(frame(when=dates), says)
    assert data.column("when").tolist() == list(range(12))


def test_categories_and_complex_numbers():
    note(frame(kind=pd.Categorical(list("abc") * 4)), "column 'kind' holds categories")
    data = note(frame(kind=pd.Categorical(list("ab") * 6)), "column 'kind' is a category of 2 levels: a, b")
    assert data.categories == {"kind": ("kind=a", "kind=b")}
    refused(frame(z=X + 1j), "holds complex numbers", inputs=["z"])


def test_truth_values_are_numbers():
    data = from_table(frame(on=X > 1.5))
    assert data.column("on").tolist() == (X > 1.5).astype(float).tolist()


def test_missing_values():
    holes = frame(b=np.where(X < 1.2, np.nan, X**3))
    data = note(holes, f"{int((X < 1.2).sum())} of 12 rows have missing values")
    assert data.rows == int((X >= 1.2).sum())
    mostly = frame(b=np.where(X < 1.7, np.nan, X**3))
    assert note(mostly, "column 'b': left out, gaps in 8 of 12 rows").rows == 12
    message = refused(mostly[["b", "y"]], "more than half")
    assert "'b'" in message
    assert note(frame(b=np.nan), "column 'b': left out, gaps in 12 of 12 rows").rows == 12


def test_missing_errors_and_groups():
    holes = frame(s=np.where(X < 1.2, np.nan, 0.1), kind=["a", "b", None] * 4)
    note(holes, "missing values (3 in 'sigma'): dropped", inputs=["a"], sigma="s")
    refused(holes, "4 of 12 rows have no group", inputs=["a"], group="kind")
    mixed = frame(kind=["a", 1, 2.5] * 4)
    train, held = from_table(mixed, inputs=["a"], group="kind").split(0.3)
    assert not set(train.groups) & set(held.groups)


def test_an_empty_column_of_a_file(tmp_path):
    path = tmp_path / "t.csv"
    frame(b=np.nan).to_csv(path, index=False)
    assert note(path, "column 'b': left out, gaps in 12 of 12 rows").names == ("a",)
    refused(path, "12 of 12 rows have missing values.*'b'", inputs=["b"])


def test_a_long_word_is_not_shown_whole():
    column = [str(v) for v in X]
    column[3] = "9" * 5000 + "x"
    assert max(len(n) for n in from_table(frame(b=column)).notes) < 150


def test_words_among_numbers():
    column = [str(v) for v in X]
    column[3] = "broken"
    data = note(frame(b=column), "first 'broken' in row 4")
    assert data.rows == 11


def test_infinities():
    holes = frame(b=np.where(X < 1.2, np.inf, X**3))
    data = note(holes, "rows have infinite values")
    assert np.isfinite(data.X).all()
    with pytest.raises(InputError, match="too large to square"):
        from_table(frame(b=X * 1e200))


def test_infinities_in_a_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n1,2\ninf,3\n2,-Infinity\n3,4\n5,6\n7,8\n")
    data = note(path, "2 of 6 rows have infinite values")
    assert data.rows == 4


def test_constant_columns_and_targets():
    data = note(frame(g=9.81), "constant column 'g': left out")
    assert data.names == ("a",)
    refused(frame().assign(y=2.5), "Target 'y' is 2.5 in every row")
    refused(pd.DataFrame({"a": [1.0] * 5, "y": range(5)}), "Every input is constant")


def test_duplicate_names():
    twice = pd.DataFrame(np.c_[X, X**2, X**3], columns=["a", "a", "y"])
    refused(twice, "2 columns named 'a'")


def test_a_target_that_is_not_there():
    refused(frame(speed=X**3), "did you mean 'speed'", target="sped")
    refused(frame(), "No input column is named 'A'; known: a, y", inputs=["A", "a"])
    refused(frame(), "is the target", inputs=["a", "y"])
    refused(frame(), "No sigma column is named 'sigma'", sigma="sigma")
    refused(frame(), "is the target", sigma="y")


NAMES = [
    "E",
    "I",
    "N",
    "S",
    "pi",
    "lambda",
    "beta",
    "x 1",
    "Δt",
    "class",
    "None",
    "a,b",
    "x`y",
    "0",
    "ℏ",
    "import os",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_a_name(name):
    data = from_table(pd.DataFrame({name: X, "b": X**2, "y": X**3}))
    assert data.names == (name, "b")
    assert np.array_equal(data.column(name), X)
    assert from_table(pd.DataFrame({"b": X**2, name: X}), target=name).target == name


def test_any_names_at_once(tmp_path):
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(40, len(NAMES))), columns=NAMES).assign(y=rng.normal(size=40))
    wide.to_csv(tmp_path / "t.csv", index=False)
    assert from_table(tmp_path / "t.csv").names == tuple(NAMES)


def test_two_identical_columns():
    data = note(frame(b=X), "column 'b' equals 'a' in every row: left out")
    assert data.names == ("a",)


def test_more_columns_than_rows():
    rng = np.random.default_rng(0)
    refused(pd.DataFrame(rng.normal(size=(3, 10))), "3 rows are too few for 9 inputs; give at least 11")


def test_three_hundred_columns():
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(500, 300))).assign(y=lambda f: f[0] * f[1])
    screened = from_table(wide).screened()
    assert {"0", "1"} <= set(screened.names)
    assert "300 inputs screened" in screened.notes[-1]
    assert len(from_table(wide.head(120)).screened().names) == 40, "fewer rows than columns are enough"
    refused(wide.head(41), "41 rows are too few for 300 inputs; give at least 42")


def test_a_million_rows(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.random((10**6, 4))
    tracemalloc.start()
    data = from_arrays(values[:, :3], values[:, 3])
    sample = data.subsample(2000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.rows == 10**6 and sample.rows == 2000
    assert peak < 300e6


def test_a_frame_of_many_rows_is_read_whole(tmp_path):
    path = tmp_path / "t.csv"
    n = 200_000
    path.write_text("a,y\n" + "".join(f"{i},{i}.5\n" for i in range(n)))
    assert read_table(path).rows == n


@pytest.mark.parametrize("gap", [1.0, np.nan])
def test_values_too_large_to_square_are_refused_before_anything_is_computed(gap):
    huge = frame(b=np.where(X < 1.5, gap, X * 1e306), c=X[::-1] * 8e307)
    refused(huge, "too large to square")
    refused(frame().assign(y=(-1.0) ** np.arange(12) * 1e308), "too large to square")


@pytest.mark.parametrize("size", [1e-101, 1e-155, 1e-302])
@pytest.mark.parametrize("name", ["a", "y"])
def test_columns_too_small_to_square_are_refused_with_the_rule_and_what_to_do(name, size):
    tiny = frame()
    largest = np.abs(tiny[name]).max()
    remedy = "too small to square in double precision .at least 1e-100.; rescale its column"
    refused(tiny.assign(**{name: size * tiny[name] / largest}), remedy)
    assert from_table(tiny.assign(**{name: 1e-99 * tiny[name] / largest})).rows == len(tiny)
    tail = tiny[name].to_numpy().copy()
    tail[0] = 1e-302
    assert from_table(tiny.assign(**{name: tail})).rows == len(tiny), "one tiny value among others is fine"


def test_laws_of_motion_refuse_what_they_cannot_square():
    with pytest.raises(InputError, match="too large to square"):
        series(X, X * 8e307)
    with pytest.raises(InputError, match="only 1 usable row;"):
        series(X[:1], X[:1])


def test_a_time_of_words_is_refused_in_one_sentence():
    words = pd.DataFrame({"t": [f"day {c}" for c in "abcdefghijkl"], "y": X})
    with pytest.raises(InputError, match=r"^Column 't' holds text \('day a'\), not numbers; "):
        arrays(words, "t")


def test_lists_and_records_in_cells_are_text():
    cells = [{"of": k} for k in range(6)] + [[k] for k in range(6)]
    note(frame(b=cells), "column 'b' holds text")


def test_a_table_without_a_name_or_a_value(tmp_path):
    with pytest.raises(InputError, match="name of the table is empty"):
        read_table("")
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "nan,nan\n" * 9)
    with pytest.raises(InputError, match="no row with a value in it"):
        read_table(path)


def test_units_that_are_partly_known_are_named():
    note(frame(), "units of 'a' are known and those of 'y' are not", units={"a": "m"})


def test_one_is_counted_in_the_singular():
    assert (counted(1, "row"), counted(0, "row"), counted(2, "row")) == ("1 row", "0 rows", "2 rows")


@pytest.mark.parametrize(
    "text",
    [
        '"",""\n"",""\n',
        '"" ""\n\n""\n',
        "\x0c\n\x0c \n\x0c\n",
        "Note one\nNote two\n\nmore words\n",
        ",;,\n,;,\n",
    ],
)
def test_texts_of_nothing_are_refused_in_a_line(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    refused(tmp_path / "t.csv", "no |empty|not a table|holds text")


def test_an_error_far_beyond_the_values_is_refused():
    refused(frame(), "times the value itself; 0.01 means one percent", relative_error=1e300)


def test_both_signs_in_a_column_are_named_and_no_one_sign_is_offered():
    mixed = pd.DataFrame({"x": ["1.000", "1,474", "1.947"] * 4, "y": np.arange(12.0)})
    said = refused(mixed, "points and commas")
    assert "1.000 in row 1 and 1,474 in row 2" in said and "--decimal" not in said


def test_an_unknown_function_and_a_decimal_comma_are_refused_with_what_to_do():
    with pytest.raises(KansymError, match=r"'foo'.*`kansym library show` lists them"):
        Library.load("default").only(["foo"])
    with pytest.raises(KansymError, match=r"write 1\.5 for 1,5"):
        parse_expression("a*x^1,5", ["a", "x"])
