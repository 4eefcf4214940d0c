"""Anomalies of real runs that somebody agrees to one by one, environments, metrics, and gates that open again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import cell, notebook, parameters, write

pytestmark = pytest.mark.usefixtures("shared_fork_server")

ORDERS = """
rng = np.random.default_rng(seed)
raw = pd.DataFrame({"price": rng.gamma(2, 10, 1000) * scale, "channel": rng.choice(channels, 1000)})
"""


def shop(folder: Path, *, gate: bool = False) -> tuple[Project, Path]:
    (folder / "pyproject.toml").touch()
    path = write(
        notebook(
            cell("import numpy as np, pandas as pd"),
            parameters("seed = 1\nscale = 1\nchannels = ['web', 'app']"),
            cell(ORDERS, step="load"),
            cell("df = raw[raw.price > 1]", step="clean"),
            *([cell("count = len(df)", step="gate", role="validator")] if gate else []),
            cell("mean = df.price.mean()", step="report", after=["gate"] if gate else []),
        ),
        folder / "shop.ipynb",
    )
    return Project.open(path), path


def told(run: dict[str, Any]) -> set[tuple[str, str, str | None, str]]:
    return {
        (step["name"], one["output"], one["feature"], one["kind"])
        for step in run["steps"]
        for one in step["anomalies"]
    }


def test_what_was_agreed_to_stays_quiet_and_the_rest_is_told(tmp_path: Path) -> None:
    project, path = shop(tmp_path)
    project.run(path)
    odd = {"scale": 100, "channels": ["web", "app", "phone"]}
    run = project.run(path, parameters=odd)
    assert told(run) == {
        ("load", "raw", "price", "unit_changed"),
        ("load", "raw", "channel", "unexpected_values"),
        ("clean", "df", "price", "unit_changed"),
        ("clean", "df", "channel", "unexpected_values"),
    }

    # Of the unit a schema says nothing: it is quiet because later tables are compared with this one.
    answer = project.tables.accept(run["run_id"], "clean.df", "unit_changed", feature="price")
    assert (answer["accepted"]["accepted"], answer["changed"]) == (True, [])
    assert not path.with_name("shop.schema.yaml").exists()
    again = project.run(path, parameters=odd | {"seed": 2})
    assert told(again) == {
        ("load", "raw", "channel", "unexpected_values"),
        ("clean", "df", "channel", "unexpected_values"),
    }

    # The new channel goes into the file, at every table that has it, and all other columns are let be.
    answer = project.tables.accept(again["run_id"], "clean.df", "unexpected_values", feature="channel")
    assert answer["changed"] == ["load.raw.columns.channel.values", "clean.df.columns.channel.values"]
    assert answer["tables"]["clean.df"] == {
        "closed": False,
        "columns": {"channel": {"values": ["app", "phone", "web"]}},
    }
    assert told(project.run(path, parameters=odd | {"seed": 3})) == set()
    # And is strict from now on: back in euros is a fault again, as is another channel.
    strange = project.run(path, parameters={"scale": 1, "channels": ["web", "fax"], "seed": 4})
    assert {one[2:] for one in told(strange)} >= {("price", "unit_changed"), ("channel", "unexpected_values")}


def test_only_the_key_that_was_broken_is_changed_and_comments_stay(tmp_path: Path) -> None:
    project, path = shop(tmp_path)
    file = path.with_name("shop.schema.yaml")
    text = """\
# Ours.
clean.df:
  closed: false
  rows: {min: 10}  # nobody knows why
  columns:
    price:
      min: 0      # not free
      max: 500    # dear enough
    channel: {values: [web], nulls: 0}
"""
    file.write_text(text)
    run = project.run(path, parameters={"scale": 100})
    assert {one[2:] for one in told(run)} == {("price", "out_of_range"), ("channel", "unexpected_values")}

    project.tables.accept(run["run_id"], "clean.df", "unexpected_values", feature="channel")

    assert file.read_text() == text.replace("values: [web]", "values: [web, app]")
    project.tables.accept(run["run_id"], "clean.df", "out_of_range", feature="price")
    changed = file.read_text()
    before = yaml.safe_load(text)["clean.df"]["columns"]["price"]
    after = yaml.safe_load(changed)["clean.df"]["columns"]["price"]
    assert after["max"] > 500 and after["min"] == before["min"]
    assert [line.partition("#")[2] for line in changed.splitlines()] == [
        line.partition("#")[2] for line in text.splitlines()
    ]
    assert told(project.run(path, parameters={"scale": 100})) == set()


def test_a_gate_that_was_closed_opens_when_somebody_agrees_also_for_reused_steps(tmp_path: Path) -> None:
    project, path = shop(tmp_path, gate=True)
    assert project.run(path)["status"] == "succeeded"

    closed = [project.run(path, parameters={"scale": 100}) for _ in range(2)]
    assert [run["status"] for run in closed] == ["failed", "failed"]
    for run in closed:
        steps = {step["name"]: step for step in run["steps"]}
        assert steps["gate"]["error"]["code"] == "anomalies_found"
        assert steps["report"]["status"] == "skipped"
    assert {step["name"]: step["status"] for step in closed[1]["steps"]}["clean"] == "reused"

    project.tables.accept(closed[1]["run_id"], "clean.df", "unit_changed", feature="price")
    run = project.run(path, parameters={"scale": 100})
    assert (run["status"], told(run)) == ("succeeded", set())

    # A warning lets pass, and stays visible though all is reused.
    odd = {"scale": 100, "channels": ["web", "app", "phone"]}
    first, second = (project.run(path, parameters=odd) for _ in range(2))
    assert [run["status"] for run in (first, second)] == ["succeeded", "succeeded"]
    assert told(first) == told(second)
    assert ("gate", "df", "channel", "unexpected_values") in told(second)
    assert {step["status"] for step in second["steps"]} == {"reused"}


def test_a_run_is_made_in_an_environment(tmp_path: Path) -> None:
    project, path = shop(tmp_path)
    text = """\
load.raw:
  closed: false
  environments: [training, serving]
  columns:
    label: {type: int, not_in: [serving]}
    sent: {type: time, only_in: [serving]}
"""
    path.with_name("shop.schema.yaml").write_text(text)

    assert told(project.run(path)) == {
        ("load", "raw", "label", "missing_column"),
        ("load", "raw", "sent", "missing_column"),
    }
    assert told(project.run(path, environment="serving")) == {("load", "raw", "sent", "missing_column")}
    assert told(project.run(path, environment="training")) == {("load", "raw", "label", "missing_column")}
    checked = project.tables.check_schemas(path, environment="training")
    assert [one["feature"] for one in checked["anomalies"]] == ["label"]
    with pytest.raises(UsageError, match="training, serving"):
        project.run(path, environment="servign")

    # A table may say by itself in which it is; a run has the last word.
    path.with_name("shop.schema.yaml").write_text(
        text.replace("  columns:", "  environment: serving\n  columns:")
    )
    assert told(project.run(path)) == {("load", "raw", "sent", "missing_column")}
    assert told(project.run(path, environment="training")) == {("load", "raw", "label", "missing_column")}


def test_a_metric_that_earlier_runs_do_not_explain_is_told_until_somebody_agrees(tmp_path: Path) -> None:
    scores = tmp_path / "scores.csv"
    path = write(
        notebook(
            cell("import pandas as pd\nfrom jupyterlab_pipelines import log_metric"),
            cell("scores = pd.read_csv('scores.csv')", step="load"),
            cell("log_metric('accuracy', float(scores.right.mean()))", step="evaluate", role="evaluator"),
        ),
        tmp_path / "a.ipynb",
    )
    project = Project.open(path)

    def run(seed: int, share: float) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        # Two rare columns keep the tables alike: it is the metric that is asked about.
        pd.DataFrame({"right": rng.random(400) < share}).to_csv(scores, index=False)
        return project.run(path)

    def metrics(document: dict[str, Any]) -> list[tuple[str, str, None]]:
        [step] = [one for one in document["steps"] if one["name"] == "evaluate"]
        return [(one["feature"], one["kind"], one["output"]) for one in step["anomalies"]]

    assert [metrics(run(seed, 0.9)) for seed in range(7)] == [[]] * 7
    worse = run(8, 0.7)
    assert metrics(worse) == [("accuracy", "metric_drift", None)]
    assert metrics(project.run(path)) == [("accuracy", "metric_drift", None)]

    answer = project.tables.accept(worse["run_id"], "evaluate", "metric_drift", feature="accuracy")
    assert answer["changed"] == []
    assert metrics(run(9, 0.7)) == []


def test_a_run_in_which_nothing_has_changed_imports_nothing_that_judges(tmp_path: Path) -> None:
    project, path = shop(tmp_path)
    project.run(path, parameters={"scale": 1})
    project.run(path, parameters={"scale": 100})
    project.run(path, parameters={"scale": 100})
    code = (
        "import sys; from pathlib import Path; from jupyterlab_pipelines.project import Project\n"
        f"path = Path({str(path)!r}); run = Project.open(path).run(path, parameters={{'scale': 100}})\n"
        "print(sum(len(step['anomalies']) for step in run['steps']),"
        " [name for name in sys.modules if name.startswith('jupyterlab_pipelines.quality.')])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    count, modules = done.stdout.strip().split(" ", 1)
    assert int(count) == 2
    assert sorted(eval(modules)) == [
        "jupyterlab_pipelines.quality.inspection",
        "jupyterlab_pipelines.quality.measurable",
    ]
