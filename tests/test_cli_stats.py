"""`jupyter pipelines stats` and `schema`, from a run to a file that is reviewed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from jupyterlab_pipelines.cli import run_command
from jupyterlab_pipelines.errors import NotFoundError, UsageError
from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import cell, notebook, write

pytestmark = pytest.mark.usefixtures("shared_fork_server")


def test_a_table_is_told_pinned_checked_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        notebook(
            cell("import pandas as pd"),
            cell("df = pd.DataFrame({'n': range(100), 'kind': ['a', 'b'] * 50})", step="load"),
            cell("top = df[df.kind == 'a']\nsize = len(top)", step="filter"),
        ),
        tmp_path / "a.ipynb",
    )
    monkeypatch.chdir(tmp_path)
    run_id = Project.open(path).run(path)["run_id"]

    def told(*words: str, status: int = 0) -> str:
        assert run_command(words) == status
        return capsys.readouterr().out

    text = told("stats", run_id, "filter.top", "--html", "top.html")
    assert "from df: 100 → 50 rows; kind lost b" in text
    assert not re.search(r"https?:|src=|<script", Path("top.html").read_text())
    document = json.loads(told("stats", run_id, "filter.top", "--json"))
    assert (document["rows"], document["statistics"]["rows"], document["anomalies"]) == (50, 50, [])
    assert "No statistics" in told("stats", run_id, "filter.size")
    with pytest.raises(NotFoundError, match=r"load\.df"):
        run_command(["stats", run_id, "load.nothing"])

    assert "load.df, filter.top" in told("schema", "pin", "a.ipynb")
    assert "values: [a, b]" in told("schema", "show", "a.ipynb")
    assert "no anomalies" in told("schema", "check", "a.ipynb")
    file = Path("a.schema.yaml")
    file.write_text(file.read_text().replace("[a, b]", "[a]", 1))
    found = json.loads(told("schema", "check", "a.ipynb", "--json", status=1))
    assert [(a["table"], a["feature"], a["kind"]) for a in found["anomalies"]] == [
        ("load.df", "kind", "unexpected_values")
    ]
    exported = told("schema", "export", "a.ipynb", "--to", "jsonschema", "--step", "load.df")
    assert json.loads(exported)["properties"]["kind"]["enum"] == ["a"]
    with pytest.raises(UsageError, match="pandera"):
        run_command(["schema", "export", "a.ipynb", "--to", "paper"])
