"""Runs, steps and artifacts as Python objects."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import jupyterlab_pipelines as pipelines
from jupyterlab_pipelines.errors import NotFoundError, PipelinesError
from tests.fixtures.notebooks import cell, notebook, parameters, write

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").touch()
    document = notebook(
        cell("import pandas as pd\nimport jupyterlab_pipelines as pipelines"),
        parameters("n = 3\nname = 'x'"),
        cell("df = pd.DataFrame({'a': range(n), 'b': 1.5})", step="load"),
        cell(
            "for epoch in range(4):\n    pipelines.log_metric('loss', 1 / (epoch + 1), step=epoch)\n"
            "pipelines.log_text('note', 'fine')\nlast = df.a.sum()",
            step="train",
        ),
        cell("score = last / n", step="evaluate", role="evaluator"),
        cell("pipelines.log_metric('tried', 1)\nassert n <= 5", step="fails"),
    )
    path = write(document, folder / "notebook.ipynb")
    pipelines.run_notebook(path)
    pipelines.run_notebook(path, parameters={"n": 9})
    return path


def test_runs_are_found_newest_first_and_told_as_a_frame(path: Path) -> None:
    runs = pipelines.runs(path)
    frame = runs.to_frame()

    assert [run.status for run in runs] == ["failed", "succeeded"]
    assert runs[runs[1].id] == runs[1]
    assert frame["parameters.n"].tolist() == [9, 3]
    assert frame["metrics.evaluate.score"].tolist() == [4.0, 1.0]
    assert frame["metrics.train.loss"].tolist() == [0.25, 0.25]
    assert frame.index.tolist() == [run.id for run in runs]


def test_a_value_is_loaded_shown_and_traced(path: Path) -> None:
    run = pipelines.runs(path)[1]
    df = run["load"]["df"]

    pd.testing.assert_frame_equal(df.load(), pd.DataFrame({"a": range(3), "b": 1.5}))
    assert df.summary == "3 × 2"
    assert df.preview["preview"]["rows"][1] == ["1", "1.5"]
    assert str(run["train"]["last"].lineage).splitlines() == [
        f"last  ← step train, run {run.id}",
        f"    df  ← step load, run {run.id}",
    ]


def test_what_differs_between_two_values_and_two_runs(path: Path) -> None:
    new, old = pipelines.runs(path)

    difference = old["load"]["df"].diff(new["load"]["df"]).document
    assert difference == {"is_equal": False, "value": "3 × 2 → 9 × 2", "rows": "3 → 9"}
    assert old["load"]["df"].diff(old["load"]["df"]).document == {"is_equal": True}
    assert old.diff(new)["parameters"] == {"n": {"before": 3, "after": 9}}


def test_what_cells_log_is_kept_with_the_step(path: Path) -> None:
    failed, run = pipelines.runs(path)

    assert run["train"].curves == {"loss": [(0, 1.0), (1, 0.5), (2, 1 / 3), (3, 0.25)]}
    assert run["train"].texts == {"note": "fine"}
    assert run["train"].metrics == {"loss": 0.25}
    assert failed["fails"].metrics == {"tried": 1}
    assert failed["fails"].error is not None


def test_everything_shows_itself_as_html_and_as_text(path: Path) -> None:
    runs = pipelines.runs(path)
    run = runs[1]
    things = [runs, run, run["train"], run["load"]["df"]]

    for thing in things:
        assert thing._repr_html_().startswith('<div class="jp-pipelines">')
        assert run.id in repr(thing) or "train" in repr(thing)
    assert "application/vnd.vegalite.v5+json" in run["train"].chart()._repr_mimebundle_()
    assert run.to_frame().loc["train", "metrics.loss"] == 0.25
    assert run["load"].to_frame().loc["df", "type"] == "pandas.DataFrame"


def test_what_is_not_there_is_told(path: Path) -> None:
    run = pipelines.runs(path)[1]

    with pytest.raises(KeyError, match="has no step `nope`; it has `load`"):
        run["nope"]
    with pytest.raises(KeyError, match="has left no `nope`"):
        run["load"]["nope"]
    with pytest.raises(NotFoundError, match="There is no file"):
        pipelines.runs("nope.ipynb")
    with pytest.raises(PipelinesError, match="No statistics"):
        _ = run["train"]["last"].statistics


def test_the_import_is_light() -> None:
    code = (
        "import sys, jupyterlab_pipelines as p\np.log_metric('a', 1)\n"
        "print([m for m in ('pandas', 'numpy', 'papermill', 'nbformat', 'IPython', 'sqlite3') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert out.stdout.strip() == "[]"


def test_the_package_can_be_run(path: Path) -> None:
    out = subprocess.run(
        [sys.executable, "-m", "jupyterlab_pipelines", "runs", str(path), "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )

    assert len(json.loads(out.stdout)["runs"]) == 2
