"""`jupyter pipelines slices`, `edge`, `trend`; rows, traces and acceptance of anomalies; environments."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jupyterlab_pipelines.api import runs as runs_of
from jupyterlab_pipelines.cli import run_command
from jupyterlab_pipelines.errors import NotFoundError, UsageError
from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import cell, notebook, parameters, write

pytestmark = pytest.mark.usefixtures("shared_fork_server")

Told = Callable[..., str]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A good run and a bad one of a small model."""
    (tmp_path / "pyproject.toml").touch()
    path = write(
        notebook(
            cell("import numpy as np, pandas as pd"),
            parameters("bad = False"),
            cell(
                "rng = np.random.default_rng(1)\n"
                "raw = pd.DataFrame({'price': rng.normal(50, 9, 1200), 'kind': rng.choice(list('abc'), 1200)})",
                step="load",
            ),
            cell("df = raw[raw.price > 30].rename(columns={'price': 'cost'})", step="clean"),
            cell("if bad: df.loc[df.index[:400], 'cost'] = None", step="clean"),
            cell("train, X_test = df.iloc[:600], df.iloc[600:]\ny_test = X_test.kind == 'a'", step="split"),
            cell("y_pred = ((X_test.kind != 'b') & (X_test.kind == 'a')).to_numpy()", step="predict"),
            cell("right = (y_test.to_numpy() == y_pred).mean()", step="evaluate", role="evaluator"),
        ),
        tmp_path / "a.ipynb",
    )
    monkeypatch.chdir(tmp_path)
    project = Project.open(path)
    done = [project.run(path, parameters={"bad": bad}) for bad in (False, True)]
    assert [run["status"] for run in done] == ["succeeded"] * 2
    return [run["run_id"] for run in done]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    def told(*words: str, status: int = 0) -> str:
        assert run_command(words) == status
        return capsys.readouterr().out

    return told


def test_an_anomaly_is_looked_into_and_agreed_to(runs: list[str], told: Told) -> None:
    good, bad = runs

    text = told("stats", bad, "clean.df", "--rows", "2", "--trace", "--html", "report.html")
    assert "rows without a value (400 of" in text
    assert "Cell 5, in step `clean`, let it in: nulls increased in `df`" in text
    report = Path("report.html").read_text()
    assert "rows without a value" in report and "df.index[:400]" in report
    document = json.loads(told("stats", bad, "clean.df", "--rows", "2", "--feature", "kind", "--json"))
    assert document["failing_rows"] == []
    against = json.loads(told("stats", bad, "split.train", "--against", "split.X_test", "--rows", "--json"))
    assert against["reference"]["table"] == "split.X_test"
    assert against["failing_rows"][0]["total"] == 400
    other = json.loads(told("stats", bad, "clean.df", "--against", f"{good}:clean.df", "--json"))
    assert other["reference"]["run_id"] == good
    with pytest.raises(NotFoundError, match="schema pin"):
        run_command(["stats", bad, "clean.df", "--against", "pinned"])
    with pytest.raises(UsageError, match="--against"):
        run_command(["stats", bad, "clean.df", "--against", good, "--trace"])

    words = ["--run", bad, "--step", "clean.df", "--kind", "nulls_increased", "--feature", "cost"]
    assert "clean.df.columns.cost.nulls" in told("schema", "accept", "a.ipynb", *words)
    assert "no anomalies" in told("schema", "check", "a.ipynb", "--run", bad)
    with pytest.raises(UsageError, match="--kind"):
        run_command(["schema", "accept", "a.ipynb"])
    file = Path("a.schema.yaml")
    file.write_text(re.sub(r"nulls: [\d.]+", "nulls: 0.01", file.read_text()))
    checked = told("schema", "check", "a.ipynb", "--run", bad, "--trace", "--rows", "1", status=1)
    assert "Cell 5, in step `clean`" in checked and "… and 399 more" in checked


def test_an_edge_a_trend_and_slices(runs: list[str], told: Told) -> None:
    _, bad = runs

    assert "renamed price → cost; nulls of cost 0 → 400" in told("edge", bad, "load", "clean")
    edge = json.loads(told("edge", bad, "load", "split", "--json"))
    assert {change["output"]: change["input"] for change in edge["tables"]}["train"] == "raw"
    with pytest.raises(NotFoundError, match="no step `nothing`"):
        run_command(["edge", bad, "load", "nothing"])

    trend = json.loads(told("trend", "a.ipynb", "clean.df", "--column", "cost", "--json"))
    assert [(run["run_id"], run["nulls"] > 0, run["anomalies"]) for run in trend["runs"]] == [
        (runs[0], False, 0),
        (runs[1], True, 1),
    ]
    assert "33.8 %" in told("trend", "a.ipynb", "clean.df", "--column", "cost")
    assert "No run has" in told("trend", "a.ipynb", "clean.nothing")

    slices = json.loads(told("slices", bad, "split.X_test", "--by", "kind", "--json"))
    assert (slices["truth"], slices["prediction"]) == ("split.y_test", "predict.y_pred")
    assert [(one["value"], one["metric"]) for one in slices["slices"]] == [(each, 1.0) for each in "abc"]
    assert "accuracy of predict.y_pred against split.y_test" in told("slices", bad, "split.X_test")
    with pytest.raises(UsageError, match="rows, and the table"):
        run_command(["slices", bad, "split.train", "--truth", "kind", "--prediction", "predict.y_pred"])
    with pytest.raises(UsageError, match=r"STEP\.NAME"):
        run_command(["slices", bad, "load.raw"])


def test_the_same_in_python(runs: list[str]) -> None:
    run = runs_of("a.ipynb")[runs[1]]

    [anomaly] = run["clean"]["df"].anomalies
    assert (anomaly["kind"], anomaly["feature"], anomaly.table) == ("nulls_increased", "cost", "clean.df")
    assert anomaly in run.anomalies or anomaly["feature"] in {one["feature"] for one in run.anomalies}
    trace = anomaly.trace()
    assert (trace["step"], trace["cell_index"]) == ("clean", 4)
    rows = anomaly.rows(3)
    assert rows["cost"].isna().all() and len(rows) == 3 and rows.attrs["total"] == 400
    assert run.edge("load", "clean")["tables"][0]["columns_renamed"] == [{"before": "price", "after": "cost"}]
    assert len(run["clean"]["df"].trend("cost")["runs"]) == 2
    assert run["split"]["X_test"].slices(by=["kind"])["overall"]["metric"] == 1
    assert "nulls_increased" in repr(run["split"]["train"].compare(run["split"]["X_test"]))
    bundle, _ = run["clean"]["df"]._repr_mimebundle_()
    assert {"text/html", "text/plain", "application/vnd.vegalite.v5+json"} <= bundle.keys()
    assert "nulls increased" in bundle["text/html"] and len(json.dumps(bundle)) < 80_000
    assert anomaly.accept()["changed"] != []
    assert anomaly.accept()["accepted"]["accepted"]


def test_rows_of_two_files_and_an_environment(tmp_path: Path, told: Told) -> None:
    rng = np.random.default_rng(0)
    frames: list[Any] = [pd.DataFrame({"x": rng.normal(size=500), "label": 1}) for _ in range(2)]
    frames[1].loc[7:30, "x"] = None
    paths = [str(tmp_path / f"{name}.parquet") for name in ("reference", "current")]
    for frame, path in zip([frames[0], frames[1].drop(columns="label")], paths, strict=True):
        frame.to_parquet(path)
    schema = tmp_path / "schema.yaml"
    schema.write_text(
        "closed: false\nenvironments: [training, serving]\ncolumns: {label: {only_in: [training]}}\n"
    )

    document = json.loads(told("quality", *paths, "--rows", "3", "--json"))
    found = {rows["anomaly"]["kind"]: rows for rows in document["failing_rows"]}
    assert [row["position"] for row in found["nulls_increased"]["rows"]] == [7, 8, 9]
    assert found["missing_column"]["rows"] == []
    assert "rows without a value (24 of 500)" in told("quality", *paths, "--rows")

    words = ["quality", *paths, "--schema", str(schema), "--json"]
    serving = json.loads(told(*words, "--environment", "serving"))
    assert [one["feature"] for one in serving["anomalies"]] == ["x"]
    training = json.loads(told(*words, "--environment", "training", status=1))
    assert {one["feature"] for one in training["anomalies"]} == {"x", "label"}
    with pytest.raises(UsageError, match="training, serving"):
        run_command([*words, "--environment", "production"])
