"""Many searches: the same results wherever they run, each once, also when a worker is killed."""

from __future__ import annotations

import json
import os
import signal

import joblib
import numpy as np
import pytest
from click.testing import CliRunner

import kansym
from kansym.base import cluster
from kansym.base.errors import InputError
from kansym.cli import main
from kansym.data.dataset import from_arrays
from kansym.pipeline import many
from kansym.pipeline.flow import Options

QUICK = Options(effort=0.02, kan=False)


def rows(seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(1, 2, (40, 2))
    y = (seed + 2) * X[:, 0] + X[:, 1] ** 2
    return from_arrays(X, y, names=("a", "b"))


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    for k in range(2):
        X = rng.uniform(1, 2, (30, 2))
        table = np.column_stack([X, X[:, 0] * X[:, 1] ** (k + 1), X[:, 0] - k])
        np.savetxt(tmp_path / f"t{k}.csv", table, delimiter=",", header="a,b,y,z", comments="")
    (tmp_path / "words.csv").write_text("a,b,y,z\nx,y,z,u\nx,y,z,v\nx,y,z,w\n")
    return tmp_path


@pytest.fixture(scope="module")
def workers():
    """A cluster of two processes of this machine."""
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as local:
        yield local


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def laws(outcomes):
    return [(one.task.name, [law.equation for law in one.run.front]) for one in outcomes]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_killed_worker_changes_no_result(workers):
    import distributed

    asked = many.tasks({f"table {k}": rows(k) for k in range(3)}, QUICK, seeds=2)
    alone = laws(many.outcomes(asked))
    told, killed = [], []

    def watch(report):
        told.append(report.stage)
        if not killed:  # the other worker may be anywhere in its task
            with distributed.Client(workers.scheduler_address) as client:
                killed.append(sorted(client.run(os.getpid).values())[0])
            os.kill(killed[0], signal.SIGKILL)

    with cluster.connected(workers.scheduler_address):
        together = laws(many.outcomes(asked, None, watch))
    assert together == alone
    assert [name for name, _ in together] == [task.name for task in asked]
    assert killed and len(told) == len(asked) and told[-1].startswith("6 of 6 done")


def test_searches_go_where_joblib_is_told(workers, files):
    import distributed

    tables = {"one": files / "t0.csv"}
    alone = kansym.discover_many(tables, targets=("y", "z"), options=QUICK)
    with distributed.Client(workers.scheduler_address), joblib.parallel_config("dask"):
        found = kansym.discover_many(tables, targets=("y", "z"), options=QUICK)
    assert list(found) == ["one: y", "one: z"]
    assert {n: r.best.equation for n, r in found.items()} == {n: r.best.equation for n, r in alone.items()}
    assert found["one: y"].best.equation == "a*b" and "y" not in found["one: z"].names


def test_the_command_takes_a_cluster(workers, files):
    options = ("--effort", 0.02, "--json", "--quiet", "--target", "y", "--inputs", "a,b")
    alone = run("discover", files / "*.csv", "--each", *options)
    there = run("discover", files / "*.csv", "--cluster", workers.scheduler_address, *options)
    assert there.exit_code == alone.exit_code == 2, there.stderr  # one file holds words
    assert "words.csv: " in there.stderr
    found = [{n: d["equation"] for n, d in json.loads(r.stdout)["runs"].items()} for r in (alone, there)]
    assert found[0] == found[1] == {"t0.csv": "a*b", "t1.csv": "a*b**2"}


def test_seeds_and_samples_have_names_and_folders(files, tmp_path):
    out = tmp_path / "out"
    some = ("--inputs", "a,b", "--target", "y", "--effort", 0.02)
    result = run("discover", files / "t0.csv", *some, "--seeds", 2, "--bootstrap", 1, "--out", out)
    assert result.exit_code == 0, result.stderr
    names = ["y, seed 0", "y, seed 0, bootstrap 1", "y, seed 1", "y, seed 1, bootstrap 1"]
    assert [line[:-1] for line in result.stdout.splitlines() if line.endswith(":")] == names
    assert "4 of 4: y = a*b" in result.stdout and "4 of 4 done" in result.stderr
    assert len([*out.glob("*/result.json")]) == 4 and not [*out.glob("*/checkpoint.json")]


def test_samples_are_rows_drawn_with_replacement_each_once():
    data = rows(0)
    one, two = many.resampled(data, 0, 1), many.resampled(data, 0, 2)
    assert one.rows < data.rows and len(np.unique(one.X, axis=0)) == one.rows
    assert one.hash == many.resampled(data, 0, 1).hash != two.hash


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--cluster", "tcp://127.0.0.1:1"), "No Dask scheduler answers"),
        (("--cluster", "nonsense:"), "No Dask scheduler answers"),
        (("--each", "--task", "classify"), "makes one search"),
        (("--seeds", 2, "--report"), "add --out DIR"),
    ],
)
def test_what_cannot_be_done_is_said(files, options, said, monkeypatch):
    monkeypatch.setattr(cluster, "ANSWER", 0.5)
    result = run("discover", files / "t0.csv", *options)
    assert result.exit_code == 2 and said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_refused_task_does_not_end_the_others():
    data = rows(0)
    tasks = many.tasks({"bad": data, "good": data}, QUICK)
    tasks[0] = many.Task("bad", data, Options(template="y = f(nothing)", effort=0.02))
    bad, good = many.outcomes(tasks)
    assert bad.run is None and "nothing" in bad.problem and good.run is not None
    with pytest.raises(InputError, match="seeds"):
        many.tasks({}, QUICK, seeds=0)


def test_numbers_are_read_as_a_person_says(tmp_path):
    lines = [f"1.{100 + k};{2 * (1100 + k)}" for k in range(1, 30)]
    (tmp_path / "t.csv").write_text("\n".join(["x;y", *lines]))
    with pytest.raises(InputError, match="two ways"):
        kansym.discover(tmp_path / "t.csv")
    whole = kansym.discover(tmp_path / "t.csv", thousands=".", options=QUICK)
    assert whole.best.equation == "2*x"
    (run,) = kansym.discover_many({"t": tmp_path / "t.csv"}, decimal=".", options=QUICK).values()
    assert run.best.equation == "2000*x"
    with pytest.raises(InputError, match="Option 'tiem' is not known"):
        kansym.discover_many({}, tiem=3)
