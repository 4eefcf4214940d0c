"""A store of every earlier schema opens, and what lies in it can be planned with, run against and shown.

``fixtures/version_N`` holds a dump of the database, the stored files, and the notebook that was run. For a new
version: make a store with the version before, as the last test does, and dump it with ``iterdump``.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from importlib import resources
from pathlib import Path

import pytest

from jupyterlab_pipelines.project import Project

FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = sorted(int(folder.name.removeprefix("version_")) for folder in FIXTURES.iterdir())

pytestmark = pytest.mark.usefixtures("shared_fork_server")


def opened(version: int, folder: Path) -> Project:
    """The project of that version, as a checkout has it: all files are of just now."""
    source = FIXTURES / f"version_{version}"
    (folder / "pyproject.toml").touch()
    for name in ("old.ipynb", "words.txt"):
        shutil.copyfile(source / name, folder / name)
    shutil.copytree(source / "artifacts", folder / ".pipelines" / "artifacts", copy_function=shutil.copyfile)
    connection = sqlite3.connect(folder / ".pipelines" / "metadata.db")
    connection.executescript((source / "metadata.sql").read_text(encoding="utf-8"))
    assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    connection.close()
    return Project.open(folder)


def test_no_version_is_forgotten() -> None:
    migrations = resources.files("jupyterlab_pipelines.store") / "migrations"
    count = sum(entry.name.endswith(".sql") for entry in migrations.iterdir())

    assert list(range(1, count)) == VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_an_old_store(version: int, tmp_path: Path) -> None:
    project = opened(version, tmp_path)
    notebook = tmp_path / "old.ipynb"
    time.sleep(0.03)

    assert [step["name"] for step in project.plan(notebook)["steps"]] == ["load", "read", "add", "check"]
    assert project.check()["findings"] == []
    last, tagged, first = project.runs()
    assert [run["status"] for run in (first, tagged, last)] == ["succeeded", "succeeded", "failed"]
    assert tagged["tags"] == ["good"]
    assert project.diff(first["run_id"], tagged["run_id"])["parameters"] == {
        "scale": {"before": 2, "after": 3}
    }
    shown = project.run_notebook(first["run_id"])
    assert "".join(shown["cells"][2]["outputs"][0]["text"]) == "[0, 2, 4, 6, 8]\n"
    assert not any(
        out["gone"]
        for run in (first, tagged, last)
        for step in project.run_document(run["run_id"])["steps"]
        for out in step["outputs"]
    )

    run = project.run(notebook)
    assert run["status"] == "succeeded"
    project.gc(max_size_bytes=0)
    assert project.run(notebook, parameters={"scale": 3})["status"] == "succeeded"
    assert project.check()["status"] == "clean"


@pytest.mark.parametrize("version", VERSIONS)
def test_what_an_old_store_holds_is_reused(version: int, tmp_path: Path) -> None:
    """Where nothing else has changed since: neither the interpreter nor what a cache key is made of."""
    project = opened(version, tmp_path)
    [row] = project.store.database.rows("SELECT * FROM executions WHERE step = 'read' ORDER BY id LIMIT 1")
    [execution] = [
        each for each in project.store.executions.with_key(row["cache_key"]) if each.id == row["id"]
    ]

    assert [project.store.integrity.problem(out) for out in execution.outputs.values()] == [None]
    assert project.store.integrity.object_problem(execution.notebook) is None
