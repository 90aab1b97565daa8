"""The report: one dict, its files, one page that a browser understands."""

from __future__ import annotations

import csv
import json
import os
import re
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy
from examples import example

from kansym.base import storage
from kansym.base.errors import FormatError, InputError
from kansym.data.dataset import from_arrays
from kansym.data.table import read_table
from kansym.functions.evaluate import evaluate
from kansym.functions.graph import Edge, Graph, Spline
from kansym.pipeline.flow import discover
from kansym.pipeline.run import Law
from kansym.report import numbers
from kansym.report import page as report

NASTY = ("<script>alert(1)</script>", 'a"b&amp;</math>')


def test_summary_is_json_with_everything():
    run, data = example()
    summary = report.summarise(run, data)
    again = json.loads(json.dumps(summary, allow_nan=False))
    assert again == summary
    assert {"data", "options", "noise", "stop_reason", "seconds", "version"} <= set(summary)
    for row in (summary["chosen"], *summary["front"]):
        assert {
            "equation",
            "sympy",
            "latex",
            "complexity",
            "loss",
            "heldout_loss",
            "score",
            "constants",
        } <= set(row)
    assert summary["chosen"]["index"] == 2
    pictures = summary["pictures"]
    assert len(pictures["predicted"]) == len(run.front)
    assert np.allclose(pictures["predicted"][2], run.predict(data.X), rtol=1e-6)


def test_a_run_is_written_and_read_back(tmp_path):
    run, data = example()
    files = report.write_run(run, data, tmp_path / "run")
    assert {f.name for f in files} == {
        "hall_of_fame.csv", "result.json", "model.json", "front.png", "predicted.png", "residuals.png",
        "slices.png", "network.png",
    }  # fmt: skip
    with open(tmp_path / "run" / "hall_of_fame.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["Complexity", "Loss", "Equation"]
    assert [r[2] for r in rows[1:]] == [law.equation for law in run.front]
    again, _ = report.load(tmp_path / "run")
    assert again.chosen == run.chosen
    assert [law.equation for law in again.front] == [law.equation for law in run.front]
    assert np.array_equal(again.predict(data.X), run.predict(data.X))


def test_a_model_predicts_the_same_to_the_last_bit(tmp_path):
    run, data = example()
    report.write_graph(run.graph, "y", tmp_path / "model.json", run.best.equation)
    graph, target = report.load_model(tmp_path / "model.json")
    assert target == "y"
    assert np.array_equal(evaluate(graph, data.X), evaluate(run.graph, data.X))


def test_other_versions_and_other_files_are_refused(tmp_path):
    run, data = example()
    report.write_run(run, data, tmp_path)
    with pytest.raises(FormatError, match="is no kansym model"):
        report.load_model(tmp_path / "result.json")
    with pytest.raises(FormatError, match="has no front"):
        report.load(tmp_path / "model.json")
    for name, read in (("model.json", report.load_model), ("result.json", report.load)):
        content = storage.read_json(tmp_path / name)
        storage.write_json(tmp_path / name, {**content, "format": 99, "version": "7.0"})
        with pytest.raises(FormatError, match=r"kansym 7\.0"):
            read(tmp_path / name)
    with pytest.raises(InputError, match="Cannot read"):
        report.load(tmp_path / "nowhere")


def test_a_fraction_above_the_line_stays_on_one_line():
    x = sympy.Symbol("x", real=True)
    text = report.mathml(2 / x ** sympy.Rational(5, 2), "y", ["x"])
    assert "<mrow><mn>5</mn><mo>/</mo><mn>2</mn></mrow>" in text and "bevelled" not in text


def test_mathml_escapes_names():
    x, y = sympy.Symbol(NASTY[0], real=True), sympy.Symbol(NASTY[1], real=True)
    text = report.mathml(sympy.sin(x) / (1 + y**2), "</math><b>", (x.name, y.name))
    assert "<script" not in text and "<b>" not in text
    assert text.count("</math>") == 1 and text.endswith("</math>")
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("x", "<mi>x</mi>"),
        ("x1", "<msub><mi>x</mi><mn>1</mn></msub>"),
        ("x_1", "<msub><mi>x</mi><mn>1</mn></msub>"),
        ("lambda", "<mi>λ</mi>"),
        ("speed", '<mi mathvariant="normal">speed</mi>'),
        ("E", "<mi>E</mi>"),
        ("a b", '<mi mathvariant="normal">a b</mi>'),
    ],
)
def test_names_in_mathml(name, shown):
    assert shown in report.mathml(sympy.Symbol(name, real=True) ** 2, "y", [name])


def test_a_long_sum_gets_a_line_for_each_term():
    x = sympy.Symbol("x", real=True)
    terms = [sympy.Float(1.25) * sympy.sin((k + 2) * x) for k in range(4)]
    text = report.mathml(sympy.Add(*terms) - 7 * sympy.exp(-(x**2)), "y", ["x"])
    assert text.count("<mtr>") == 5 and text.count("<mo>=</mo>") == 1
    assert text.count("<mo>+</mo>") + text.count("<mo>−</mo>") >= 4
    assert "<mtr>" not in report.mathml(terms[0] + 1, "y", ["x"])


def test_a_decay_keeps_its_minus_sign():
    x, y = sympy.symbols("x y", real=True)
    text = report.mathml(2.5 * sympy.exp(-1.5 * x * sympy.exp(-y)), "z", ["x", "y"])
    assert "mfrac" not in text and text.count("<msup>") == 2 and text.count("<mo>−</mo>") == 2
    long = 1.2345678901234567 * sympy.exp(-0.12345678901234567 * x) + 2.3456789012345678 * y
    assert len(str(long)) > report.LONG and "<mtr>" not in report.mathml(long, "z", ["x", "y"])


def test_the_page_is_self_contained_and_escaped():
    run, data = example(NASTY, target="<i>t</i>")
    page = report.page(report.summarise(run, data))
    assert "<script>alert" not in page and "<i>t" not in page and "<dropped>" not in page
    assert page.count("<script") == 2 and page.count("</script>") == 2
    assert page.startswith("<!doctype html>") and "[m/s]" in page
    urls = set(re.findall(r"https?://[^\s\"'<]+", page)) - {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1998/Math/MathML",
    }
    assert not urls
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_the_page_names_a_much_shorter_law():
    run, data = example()
    near = replace(run.front[0], heldout_loss=1.1 * run.best.heldout_loss)
    short = replace(run, front=(near, *run.front[1:]))
    shown = report.page(report.summarise(short, data))
    assert "Much shorter" in shown and f"y = {near.equation}" in shown
    assert "Much shorter" not in report.page(report.summarise(run, data))


def test_the_page_comes_from_the_json_alone(tmp_path):
    run, data = example()
    report.write_run(run, data, tmp_path)
    _, plain = report.load(tmp_path)
    assert report.page(plain) == report.page(report.summarise(run, data))
    report.write_html(
        report.summarise(run), tmp_path / "bare.html"
    )  # without the dataset: no pictures of rows
    assert "Against the data" not in (tmp_path / "bare.html").read_text()


def test_files_can_be_read_by_others(tmp_path):
    run, _ = example()
    path = report.write_html(report.summarise(run), tmp_path / "p.html")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644


@pytest.mark.browser
def test_picking_a_row_changes_the_page(browser, tmp_path):
    run, data = example()
    path = report.write_html(report.summarise(run, data), tmp_path / "page.html")
    browser.get(path.as_uri())

    def formula():
        shown = [e for e in browser.find_elements("css selector", ".formula") if e.is_displayed()]
        assert len(shown) == 1
        return shown[0].find_element("css selector", ".plain").text

    def drawn():
        return browser.find_element("css selector", "#predicted svg").get_attribute("innerHTML")

    assert formula() == f"y = {run.front[2].equation}"
    assert browser.find_element("css selector", ".formula:not([hidden]) math").size["height"] > 10
    before = drawn()
    browser.find_elements("css selector", "#front tbody tr")[1].click()
    assert formula() == f"y = {run.front[1].equation}"
    assert drawn() != before
    assert "not the chosen one" in browser.find_element("id", "which").text
    code = [e.text for e in browser.find_elements("css selector", "main pre") if e.is_displayed()]
    assert len(code) == 3
    browser.find_elements("css selector", "circle.choice")[3].click()
    assert formula() == f"y = {run.front[3].equation}"
    point = browser.find_elements("css selector", "circle.choice")[2]
    point.send_keys("\ue007")
    assert formula() == f"y = {run.front[2].equation}"
    assert drawn() == before
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []


@pytest.mark.browser
def test_nasty_names_run_nothing(browser, tmp_path):
    run, data = example(NASTY)
    browser.get(report.write_html(report.summarise(run, data), tmp_path / "page.html").as_uri())
    assert browser.execute_script("return document.querySelectorAll('script').length") == 2
    assert browser.find_elements("css selector", "svg")
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []


@pytest.mark.browser
def test_a_phone_does_not_scroll_sideways(browser, tmp_path):
    run, data = example(("a_rather_long_column_name_that_is_hard_to_break", "b"))
    path = report.write_html(report.summarise(run, data), tmp_path / "page.html")
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 360, "height": 780, "deviceScaleFactor": 2, "mobile": True},
    )
    try:
        browser.get(path.as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
        assert len(browser.find_elements("css selector", "circle.choice")) == len(run.front)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.browser
def test_residuals_are_in_standard_errors_where_these_are_known(browser, tmp_path):
    run, data = example()
    weighted = replace(data, weights=np.full(data.rows, 1e6), absolute=True)
    for dataset, band in ((data, 0), (weighted, 1)):
        page = report.write_html(report.summarise(run, dataset), tmp_path / "page.html")
        browser.get(page.as_uri())
        panel = browser.find_element("css selector", ".residual")
        assert len(panel.find_elements("css selector", ".shade")) == band
        assert ("residual / standard error" in panel.get_attribute("textContent")) == bool(band)
    assert browser.find_element("css selector", ".network .target").get_attribute("textContent") == "y"


def test_refusals_stand_apart_with_their_reasons():
    run, data = example()
    page = report.page(report.summarise(run, data))
    steps, refused = page.split("1 refused, with the reason for each")
    assert "12.5 nats" not in steps and "12.5 nats" in refused


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (0.5279898617, 6e-6, "0.5279899"),
        (3.000121094, 0.00045, "3.00012"),
        (-1.00033, 0.00082, "−1.00033"),
        (100.0, 25.0, "100"),
        (2.0, "inf", "2"),
        (12345678.9, 2000.0, "1.23457·10⁷"),
        (0.0, 0.1, "0"),
    ],
)
def test_constants_show_what_their_errors_leave(value, error, shown):
    assert numbers.measured(value, error) == shown


@pytest.mark.browser
def test_every_picture_has_words(browser, tmp_path):
    run, data = example()
    browser.get(report.write_html(report.summarise(run, data), tmp_path / "page.html").as_uri())
    for picture in browser.find_elements("css selector", "svg"):
        words = picture.get_attribute("aria-label") or picture.find_element(
            "css selector", "title"
        ).get_attribute("textContent")
        assert words and len(words) > 10
    for button in browser.find_elements("css selector", "button"):
        assert button.get_attribute("aria-label") or button.text or not button.is_displayed()


def test_tables_of_the_page_are_the_rows_read(tmp_path):
    run, data = example()
    report.write_run(run, data, tmp_path)
    assert read_table(tmp_path / "hall_of_fame.csv").rows == len(run.front)


def test_a_law_that_is_no_formula_is_shown_too():
    run, data = example()
    knots = np.r_[[0.0] * 3, np.linspace(0, 3, 6), [3.0] * 3]
    edges = [Edge(n, "y", 0, Spline(knots, np.arange(8.0), 3)) for n in run.names]
    graph = Graph.build(run.names, ["y"], {"y": "sum"}, edges)
    spline = Law("spline network", 40, 1e-5, 2e-5, 0.1, -50.0, graph=graph)
    mixed = replace(run, front=(*run.front, spline), chosen=4)
    summary = json.loads(json.dumps(report.summarise(mixed, data), allow_nan=False))
    assert summary["chosen"]["sympy"] is None
    page = report.page(summary)
    assert "not symbolic" in page and 'class="spline"' in page


@pytest.mark.parametrize(
    "code", ["__import__('os').system('touch hacked')", "x.__class__", "exec('1')", "x; x"]
)
def test_a_model_file_executes_nothing(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, _ = example()
    report.write_graph(run.graph, "y", tmp_path / "model.json")
    content = storage.read_json(tmp_path / "model.json")
    content["graph"]["edges"][0]["curve"]["function"]["expression"] = code
    storage.write_json(tmp_path / "model.json", content)
    with pytest.raises((InputError, FormatError)):
        report.load_model(tmp_path / "model.json")
    assert not (tmp_path / "hacked").exists()


def edited(summary, path, value):
    """Return the summary with one value, found by its path, replaced."""
    content = json.loads(json.dumps(summary))
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["front"], []),
        (["front"], "text"),
        (["front", 0], {}),
        (["front", 0, "sympy"], "__import__('os').system('touch hacked')"),
        (["front", 0, "sympy"], "9**9**9"),
        (["front", 0, "loss"], "abc"),
        (["front", 2, "constants"], [{"name": "a", "value": "x", "stderr": 1, "rounded": None}]),
        (["chosen", "index"], 99),
        (["chosen", "index"], "a"),
        (["chosen"], None),
        (["data"], "text"),
        (["data", "names"], None),
        (["data", "names"], ["x", "x"]),
        (["data", "target"], 5),
        (["data", "ranges"], {"x 1": "ab"}),
        (["history"], [1]),
        (["graphs"], [1]),
        (["graphs"], {"a": {}}),
        (["noise"], "loud"),
        (["pictures"], {"a": 1}),
        (["data", "rows"], {}),
    ],
)
def test_garbled_results_are_refused_in_one_line(path, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, data = example()
    storage.write_json(tmp_path / "result.json", edited(report.summarise(run, data), path, value))
    if path == ["data", "rows"]:  # what is missing altogether
        content = storage.read_json(tmp_path / "result.json")
        del content["data"]["rows"]
        storage.write_json(tmp_path / "result.json", content)
    with pytest.raises((InputError, FormatError)) as refusal:
        report.page(report.load(tmp_path)[1])
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "hacked").exists()


def test_markup_in_a_result_file_is_not_trusted(tmp_path):
    run, data = example()
    evil = edited(report.summarise(run, data), ["front", 2, "mathml"], "<script>alert(1)</script>")
    storage.write_json(tmp_path / "result.json", evil)
    assert "alert(1)" not in report.page(report.load(tmp_path)[1])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["edges", 0, "curve", "a"], "x"),
        (["edges", 0, "curve", "a"], "inf"),
        (["edges", 0, "key"], "x"),
        (["edges", 0, "curve", "kind"], "spline"),
        (["nodes", 0, "bias"], "x"),
        (["outputs"], []),
    ],
)
def test_garbled_graphs_are_refused_in_one_line(path, value):
    run, _ = example()
    with pytest.raises(FormatError) as refusal:
        Graph.from_dict(edited(run.graph.to_dict(), path, value))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "graph", [None, {}, {"nodes": 3}, [], "text", {"nodes": [], "edges": [], "inputs": 5, "outputs": []}]
)
def test_garbled_models_are_refused(graph, tmp_path):
    run, _ = example()
    report.write_graph(run.graph, "y", tmp_path / "model.json")
    content = storage.read_json(tmp_path / "model.json")
    storage.write_json(tmp_path / "model.json", {**content, "graph": graph})
    with pytest.raises((InputError, FormatError)):
        report.load_model(tmp_path / "model.json")


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(scheme):
    """WCAG 2.2, 1.4.3: the lighter of two colours has at least 4.5 times the other's luminance."""
    css = (Path(report.__file__).parent / "templates" / "report.css").read_text()
    rule = re.findall(r":root\s*\{([^}]*)\}", css)[scheme]
    colours = {name: _luminance(c) for name, c in re.findall(r"--(\w+): (#[0-9a-f]{3,6})", rule)}
    on = "ink/paper ink/wash ink/pick ink/over ink/shade dim/paper dim/wash accent/paper accent/wash"
    for pair in [*on.split(), "on/accent", "on/soft", "soft/paper"]:
        dark, light = sorted(colours[name] for name in pair.split("/"))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, pair


def test_a_page_without_a_law_does_not_say_the_law():
    run, data = example()
    said = report.page(report.summarise(run, data))
    assert ">The law <" in said and "The law along" in said
    doubtful = replace(run, verdict=replace(run.verdict, kind="noise"))
    words = re.sub(r"(?s)<(script|style).*?</\1>", "", report.page(report.summarise(doubtful, data)))
    assert not re.search(r"(?i)\bthe law\b", words)


def test_the_first_picture_is_along_the_input_that_matters_most():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1, (50, 3))
    data = from_arrays(X, X[:, 0] + 9 * X[:, 2], names=["weak", "idle", "strong"], target="y")
    said = report.page(report.summarise(discover(data, effort=0.02), data))
    assert re.findall(r'class="chart slice[ a-z]*" data-column="(\w+)"', said)[:2] == ["strong", "weak"]


def test_panels_fold_on_wide_tables():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1, (40, 9))
    data = from_arrays(X, X[:, 0] + 2 * X[:, 1], names=[f"column_{k}" for k in range(9)], target="y")
    said = report.page(report.summarise(discover(data, effort=0.02), data))
    shown, folded = said.split('<details class="folded">')[:2]
    assert shown.count('class="chart residual"') == report.PANELS
    assert folded.count('class="chart residual"') == 9 - report.PANELS and "3 more inputs" in folded


@pytest.mark.browser
def test_what_the_pointer_is_near_tells_its_values(browser, tmp_path):
    from selenium.webdriver.common.action_chains import ActionChains

    run, data = example()
    browser.get(report.write_html(report.summarise(run, data), tmp_path / "page.html").as_uri())
    dot = browser.find_element("css selector", ".slice .measured")
    ActionChains(browser).move_to_element(dot).perform()
    tip = browser.find_element("css selector", ".slice .tip text")
    assert tip.is_displayed() and re.match(r"(row|formula): .*, y [\d.−]+", tip.text)
    assert browser.find_element("css selector", "#front-chart [data-axis=y]").text == "held-out error"
    labels = [e.text for e in browser.find_elements("css selector", ".slice text")]
    assert "x 1 [m/s]" in labels


@pytest.mark.browser
def test_the_network_and_the_front_follow_the_data(browser, tmp_path):
    run, data = example()
    X = data.X.copy()
    X[:, 0] = np.geomspace(1e-2, 10, len(X))
    data = from_arrays(X, data.y, names=data.names, target="y")
    run = replace(run, front=(*run.front[:3], replace(run.front[3], exact=True)))
    browser.get(report.write_html(report.summarise(run, data), tmp_path / "page.html").as_uri())

    def network():
        return [e.text for e in browser.find_elements("css selector", "figure[data-row]") if e.is_displayed()]

    before = network()
    assert len(before) == 1 and "complexity 5" in before[0]
    browser.find_elements("css selector", "#front tbody tr")[1].click()
    assert len(network()) == 1 and network() != before
    front = [e.text for e in browser.find_elements("css selector", "#front-chart text")]
    assert "0 (exact)" in front and not any("." in t for t in front if t.isdigit())
    marks = [e.text for e in browser.find_elements("css selector", '.slice[data-column="x 1"] text')]
    assert "0.01" in marks and "0.1" in marks and "10" in marks
