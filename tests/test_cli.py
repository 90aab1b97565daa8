"""The command line: exit status, one-line refusals, what goes to stdout and what to stderr."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from examples import example

from kansym.base.budget import Progress
from kansym.cli import main, text
from kansym.cli.progress import Watcher, plain
from kansym.judge.band import Band
from kansym.judge.kinds import NoiseModel
from kansym.pipeline import flow as pipeline
from kansym.report import page as report


def run(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


def test_it_runs_as_a_module_where_no_command_is_on_the_path():
    made = subprocess.run(
        [sys.executable, "-m", "kansym", "--version"], check=True, capture_output=True, text=True
    )
    assert made.stdout.startswith("kansym, version")


@pytest.fixture
def finished(monkeypatch):
    """Let `discover` return the example at once, and hold what it was asked."""
    found, data = example()
    held = SimpleNamespace(run=found, data=data, dataset=None, options=None)

    def instead(dataset, *, options, progress, checkpoint=None):
        progress(Progress("structure", 0.5, "x", 1.0, 0.2, 9.8))
        held.dataset, held.options = dataset, options
        return held.run

    monkeypatch.setattr(pipeline, "discover", instead)
    return held


@pytest.fixture
def table(tmp_path):
    _, data = example()
    path = tmp_path / "t.csv"
    rows = np.column_stack([data.X, data.y])
    np.savetxt(path, rows, delimiter=",", header="x 1,Δt,y", comments="", encoding="utf-8", fmt="%.17g")
    return path


def test_help_is_quick_and_light():
    code = (
        "import sys\n"
        "from kansym.cli import main\n"
        "try: main(['discover', '--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'numba', 'matplotlib', 'pandas', 'sympy', 'numpy', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    best = 9.0
    for _ in range(3):  # the machine may be busy
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        best = min(best, time.perf_counter() - start)
    assert best < 1.0, "0.06 s on a quiet machine, and 0.3 are the limit"


COMMANDS = (
    "discover fit match pade predict export report library-list library-show library-check datasets-list "
    "datasets-show datasets-export"
)


@pytest.mark.parametrize("command", COMMANDS.split())
def test_every_command_has_help_with_an_example(command):
    result = run(*command.split("-"), "--help")
    assert result.exit_code == 0
    assert "Example: kansym" in result.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["discover", "nix.csv"], "No file or shipped table is named 'nix.csv'"),
        (["discover", "planets", "--tagret", "x"], "No such option"),
        (["discover"], "Missing argument"),
        (["discover", "planets", "--target", "perod"], "did you mean 'period'"),
        (["discover", "planets", "--inputs", "planet"], "holds text"),
        (["discover", "planets", "--time", "-3"], "--time"),
        (["discover", "planets", "--time", "nan"], "no finite number"),
        (["relations", "planets", "--time", "nan"], "no finite number"),
        (["discover", "planets", "--effort", "inf"], "no finite number"),
        (["discover", "planets", "--target", "period,period"], "'period' is named twice"),
        (["discover", "planets", "--out", ""], "names no place"),
        (["resume", ""], "names no place"),
        (["discover", "planets", "--seed", "x"], "--seed"),
        (["discover", "planets", "--units", "period"], "COLUMN=UNIT"),
        (["discover", "planets", "--units", "period=furlong/fortnit"], "is not known"),
        (["discover", "planets", "--relative-error", "0"], "not above zero"),
        (["discover", "planets", "--library", "nolibrary"], "nolibrary"),
        (["discover", "planets", "--select", "prettiest"], "prettiest"),
        (["discover", "planets", "--only", "sinn"], "sinn"),
        (["discover", "planets", "--only", ","], "holds no name"),
        (["discover", "planets", "--guess", "1+"], ""),
        (["discover", "planets", "--out", "/proc/nowhere"], "cannot be made"),
        (["match", "expsine"], "choose one with --inputs"),
        (["fit", "planets", "--shape", "2,1"], "must start with the 1 inputs"),
        (["fit", "planets", "--shape", "two"], "is not a list of numbers"),
        (["pade", "planets", "--degree", "2"], "is not M/N"),
        (["predict", "nowhere", "planets"], "Cannot read"),
        (["export", "nowhere", "--to", "latex"], "Cannot read"),
        (["report", "nowhere"], "Cannot read"),
        (["library", "show", "nolibrary"], "nolibrary"),
        (["datasets", "show", "planet"], "did you mean 'planets'"),
        (["dicsover"], "No such command"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(args, message):
    result = run(*args)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    line = [s for s in result.stderr.splitlines() if not s.startswith(("note:", "["))]
    assert len(line) == 1 and line[0].startswith("kansym: "), result.stderr
    assert message in line[0]


def test_discover_prints_the_front(finished, table):
    result = run("discover", table, "--seed", 3, "--only", "exp,sin", "--time", 5)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["complexity", "loss", "held-out", "score", "equation"]
    marked = [s for s in lines if s.startswith(">>>>")]
    assert len(marked) == 1 and marked[0].endswith(finished.run.best.equation)
    assert f"y = {finished.run.best.equation}" in lines
    assert "Error on 12 held-out rows: 0.105 (root mean square)." in lines
    assert "It holds." in lines
    assert "structure" in result.stderr and "10 s left" in result.stderr
    asked = finished.options
    assert (asked.seed, asked.only, asked.time_limit) == (3, ("exp", "sin"), 5.0)


def test_json_is_one_document_and_nothing_else(finished, table):
    result = run("discover", table, "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["chosen"]["equation"] == finished.run.best.equation
    assert run("discover", table, "--json", "--quiet").stderr == ""


def test_quiet_says_nothing(finished, table):
    result = run("discover", table, "--quiet")
    assert result.stderr == "" and ">>>>" in result.stdout


def test_an_interrupted_search_prints_and_exits_130(finished, table):
    finished.run = replace(finished.run, stop_reason="interrupted")
    result = run("discover", table)
    assert result.exit_code == 130 and ">>>>" in result.stdout


def test_ctrl_c_before_there_is_a_result(table, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "discover", interrupted)
    result = run("discover", table)
    assert result.exit_code == 130
    assert "interrupted" in result.stderr and "Traceback" not in result.output


def test_out_and_report_then_predict_export_report(finished, table, tmp_path):
    folder = tmp_path / "out"
    result = run("discover", table, "--out", folder, "--report")
    assert result.exit_code == 0, result.output
    assert (folder / "report.html").stat().st_size > 10_000
    assert "wrote" in result.stderr and "wrote" not in result.stdout
    for model in (folder, folder / "result.json", folder / "model.json"):
        predicted = run("predict", model, table)
        assert predicted.exit_code == 0, predicted.output
        rows = list(csv.DictReader(io.StringIO(predicted.stdout)))
        assert len(rows) == 60
        values = np.array([float(r["y_predicted"]) for r in rows])
        assert np.allclose(values, finished.run.predict(finished.data.X), rtol=1e-14)
    assert run("predict", folder, table, "--row", 9).exit_code == 2
    first = run("predict", folder, table, "--row", 0)
    assert "0.7" in first.stdout
    latex = run("export", folder, "--to", "latex")
    assert latex.exit_code == 0 and "e^{" in latex.stdout
    assert run("export", folder, "--to", "latexx").exit_code == 2
    page = run("report", folder, "--out", tmp_path / "p.html")
    assert page.exit_code == 0
    assert (tmp_path / "p.html").read_text() == (folder / "report.html").read_text()


def test_predict_names_the_missing_column(finished, table, tmp_path):
    run("discover", table, "--out", tmp_path / "out", "--quiet")
    other = tmp_path / "other.csv"
    other.write_text("x 1,dt\n1,2\n3,4\n")
    result = run("predict", tmp_path / "out", other)
    assert result.exit_code == 2 and "'Δt'" in result.stderr


def test_predict_marks_rows_outside_the_data(finished, table, tmp_path):
    run("discover", table, "--out", tmp_path / "out", "--quiet")
    other = tmp_path / "other.csv"
    other.write_text("x 1,Δt\n1,1\n100,1\n")
    rows = list(csv.DictReader(io.StringIO(run("predict", tmp_path / "out", other).stdout)))
    assert [r["inside"] for r in rows] == ["True", "False"]


def test_inputs_with_commas_in_their_names(finished, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('"a,b",c,d,y\n' + "".join(f"{i},{i * i},{i % 3},{i**3}\n" for i in range(9)))
    run("discover", path, "--inputs", "a,b", "--inputs", "c,d")
    assert finished.dataset.names == ("a,b", "c", "d")


def test_datasets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "planets" in run("datasets", "list").stdout
    shown = run("datasets", "show", "planets").stdout
    assert "licence" in shown and "[au]" in shown
    assert run("datasets", "export", "planets").exit_code == 0
    assert (tmp_path / "planets.csv").exists()
    again = run("datasets", "export", "planets")
    assert again.exit_code == 2 and "exists already" in again.stderr


def test_library():
    assert "default" in run("library", "list").stdout
    assert "complexity" in run("library", "show", "trig").stdout
    one = run("library", "show", "arcsin").stdout
    assert "domain: [-1, 1]" in one and one == run("library", "show", "--function", "asin").stdout


def test_match_ranks_functions():
    result = run("match", "planets", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["matches"][0]["r2"] > 0.999
    assert "1 - R2" in run("match", "planets", "--top", 3).stdout


def test_every_command_tells_of_rows_that_are_left_out(tmp_path):
    table = tmp_path / "gaps.csv"
    table.write_text("x,y\n" + "".join(f"{k},{k * k}\n" for k in range(1, 12)) + "12,\n")
    for command in (["match", table], ["pade", table, "--degree", "2/0"]):
        assert "1 of 12 rows have missing values" in run(*command).stderr


def test_labels_point_to_classes(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("x,kind\n" + "".join(f"{k},{'cat' if k % 2 else 'dog'}\n" for k in range(12)))
    assert "--task classify" in run("discover", table).stderr


def test_fit_trains_a_network(tmp_path):
    result = run(
        "fit",
        "expsine",
        "--shape",
        "2,5,1",
        "--grids",
        "5",
        "--steps",
        40,
        "--out",
        tmp_path / "kan",
        "--json",
    )
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert facts["heldout_rmse"] < 0.5 * facts["spread"]
    graph, target = report.load_model(tmp_path / "kan" / "model.json")
    assert target == "z" and graph.inputs == ("x", "y")
    predicted = run("predict", tmp_path / "kan" / "model.json", "expsine")
    assert predicted.exit_code == 0 and len(predicted.stdout.splitlines()) == 1001


def test_pade_finds_balmers_formula():
    result = run("pade", "balmer", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["error"] < 1e-5 and found["degree"] == [2, 2]
    values = {(t["in"], t["term"]): t["value"] for t in found["terms"]}
    assert values["denominator", "n**2"] == pytest.approx(-0.25, abs=1e-5)
    assert -4 * values["numerator", "n**2"] == pytest.approx(3646.0, rel=1e-4)
    shown = run("pade", "balmer", "--degree", "2/2").stdout
    assert ">>>>" in shown and "wavelength = " in shown and "±" in shown


def test_constants_show_the_digits_that_mean_something():
    assert text.constant_line(3646.0123456, 0.05, None) == "3646.012 ± 0.05"
    assert text.constant_line(1.00012, 0.0004, "1") == "1.00012 ± 0.0004 -> 1"
    assert text.constant_line(0.5, float("inf"), None) == "0.5"


def test_a_band_says_what_it_is_of():
    def reach(kind):
        return text._reach(Band(10.0, 1000, None, kind, 100.0), "y")

    assert reach("additive") == "± 19.6 of the law's value"
    assert reach("relative") == "20 % of the law's value"
    assert reach("poisson").startswith("± 19.6 of the law's value where y is 100, ")
    assert reach("percent").endswith(
        "y is 100, elsewhere by the root of the value and of what is missing to the whole"
    )
    assert reach("log") == "a factor of 1.22 of the law's value"


def test_errors_of_noise_that_grows_are_shares_of_the_value():
    found, _ = example()
    law = replace(found.best, heldout_loss=4.0)

    def said(kind):
        return text.heldout(replace(found, noise_model=NoiseModel(kind, 0.1, middle=40.0)), law)

    assert said("additive") == "Error on 12 held-out rows: 2 (root mean square)."
    assert said("relative") == "Error on 12 held-out rows: 5 % of the value (root mean square)."
    assert said("poisson") == "Error on 12 held-out rows: 2 (root mean square where y is 40)."
    assert said("log") == "Error on 12 held-out rows: a factor of 1.05 (root mean square)."


def test_long_equations_are_cut_on_a_terminal_only():
    found, _ = example()
    cut = text.front(found, 60)
    assert all(len(line) <= 60 for line in cut.splitlines())
    assert "…" in cut and "…" not in text.front(found)


def test_a_much_shorter_law_that_errs_little_more_is_named():
    run, _ = example()
    assert run.shorter is None and "half as long" not in text.chosen(run)
    first, best = run.front[0], run.best
    assert 2 * first.complexity <= best.complexity
    for error, named in ((1.1, True), (1.3, False)):
        near = replace(first, heldout_loss=error**2 * best.heldout_loss)
        told = text.chosen(replace(run, front=(near, *run.front[1:])))
        assert (f"its error 10 % larger: y = {first.equation}" in told) == named
    near = replace(first, heldout_loss=best.heldout_loss)
    rival = replace(run, front=(near, *run.front[1:]), rivals=(near,))
    assert text.chosen(rival).count(f"y = {first.equation}") == 1
    exact = replace(run, front=(*run.front[: run.chosen], replace(best, heldout_loss=0.0)))
    assert exact.shorter is None


def test_plain_progress(capsys):
    with Watcher() as watcher:
        for i in range(50):
            watcher(Progress("structure", 0.1, "x", i, i / 10, None))
        watcher(Progress("network", None, "", 1.0, 6.0, 4.0))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2, "one line for each stage, not for each report"
    assert (
        lines[1]
        == plain(Progress("network", None, "", 1.0, 6.0, 4.0))
        == "[   6.0 s] network, at most 4 s left"
    )


def test_a_look_that_tells_nothing_still_shows_that_time_passes(capsys, monkeypatch):
    monkeypatch.setattr("kansym.cli.progress._EVERY", 0.2)
    with Watcher() as watcher:
        watcher(Progress("structure", 0.1, "x", 1, 2.0, 9.0))
        time.sleep(0.8)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 3 and len(set(lines)) > 1 and lines[-1].startswith("[   2.") and "left" in lines[-1]
    time.sleep(0.4)
    assert not capsys.readouterr().err, "nothing comes after the end"


def test_completion_is_offered():
    env = {"_KANSYM_COMPLETE": "bash_source", "PATH": "/usr/bin:/bin"}
    made = subprocess.run(
        [sys.executable, "-c", "from kansym.cli import main; main(prog_name='kansym')"],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "_kansym_completion" in made.stdout


def test_completion_knows_the_shipped_tables():
    env = {
        "_KANSYM_COMPLETE": "bash_complete",
        "COMP_WORDS": "kansym discover pla",
        "COMP_CWORD": "2",
        "PATH": "/usr/bin:/bin",
    }
    made = subprocess.run(
        [sys.executable, "-c", "from kansym.cli import main; main(prog_name='kansym')"],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "plain,planets" in made.stdout and "file,pla" in made.stdout


def _hears_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_real_ctrl_c_ends_a_real_search(tmp_path):
    started = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from kansym.cli import main; main()",
            "discover",
            "expsine",
            "--out",
            str(tmp_path / "k"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hears_interrupts,  # tests in the background ignore them, and so would their children
    )
    try:
        assert started.stderr is not None
        first = started.stderr.readline()  # the search has begun
        assert first.startswith("["), first
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=120)
    finally:
        started.kill()
    assert started.returncode == 130, err
    assert ">>>>" in out and "interrupted" in out
    assert "Traceback" not in err
    assert json.loads((tmp_path / "k" / "result.json").read_text())["stop_reason"] == "interrupted"


def test_an_option_of_one_value_is_refused_twice():
    for args in (["--time", "1", "--time=2"], ["--seed", "1", "--seed", "2"]):
        result = run("discover", "planets", *args)
        assert result.exit_code == 2 and "is given 2 times" in result.stderr
    assert run("datasets", "list").exit_code == 0


def test_what_no_run_can_take_is_refused_before_the_table_is_read():
    for args in (["--select", "fancy"], ["--only", "sinn"], ["--library", "nolibrary"]):
        result = run("discover", "no-such-table.csv", *args)
        assert result.exit_code == 2 and args[1] in result.stderr, result.stderr


def test_several_targets_have_a_front_each(finished, tmp_path):
    path = tmp_path / "t.csv"
    rows = (f"{i},{i * i},n{i},{i + 1},{i**3}\n" for i in range(1, 30))
    path.write_text("x 1,Δt,name,c d,e\n" + "".join(rows))
    result = run("discover", path, "--target", "c d,e", "--out", tmp_path / "out", "--quiet")
    assert result.exit_code == 0, result.stderr
    assert "c d:" in result.stdout and "\ne:" in result.stdout
    assert finished.dataset.names == ("x 1", "Δt") and finished.dataset.target == "e"
    assert (tmp_path / "out" / "c_d" / "result.json").exists() and (tmp_path / "out" / "e").is_dir()
    result = run("discover", path, "--target", "c d,e", "--json", "--quiet", "--time", 3)
    assert set(json.loads(result.stdout)["targets"]) == {"c d", "e"} and finished.options.time_limit == 1.5
    assert "takes one target" in run("pade", path, "--target", "c d,e").stderr
