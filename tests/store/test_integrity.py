"""A stored value that is not whole is never handed on, and is made again."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.project import Project
from jupyterlab_pipelines.store.artifacts import ArtifactStore, stamp_of
from tests.fixtures.notebooks import cell, notebook, write

pytestmark = pytest.mark.usefixtures("shared_fork_server")

TABLE = notebook(
    cell("import numpy as np"),
    cell("made = np.arange(1000) * 7\nprint('made')", step="make"),
    cell("total = int(made.sum())\nprint(total)", step="add"),
    cell("print(total + 1)", step="show"),
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "pyproject.toml").touch()
    write(TABLE, tmp_path / "a.ipynb")
    project = Project.open(tmp_path)
    assert project.run(tmp_path / "a.ipynb")["status"] == "succeeded"
    return project


def stored(project: Project, step: str, name: str) -> Path:
    run = project.run_document(project.runs()[0]["run_id"])
    [digest] = [
        out["digest"]
        for each in run["steps"]
        if each["name"] == step
        for out in each["outputs"]
        if out["name"] == name
    ]
    return project.store.artifacts.path(digest)


def planned(project: Project) -> dict[str, tuple[str, str]]:
    steps = Project(project.root, project.store_path).plan(project.root / "a.ipynb")["steps"]
    return {step["name"]: (step["decision"], step["reasons"][0]["message"]) for step in steps}


def run(project: Project) -> dict[str, str]:
    document = Project(project.root, project.store_path).run(project.root / "a.ipynb")
    assert document["status"] == "succeeded", document
    return {step["name"]: step["status"] for step in document["steps"]}


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def replace(path: Path) -> None:
    """By another stored file, with its time."""
    other = max(
        (each for each in path.parents[1].glob("*/*") if each != path), key=lambda each: each.stat().st_size
    )
    shutil.copy2(other, path)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "truncated": truncate,
    "emptied": lambda path: os.truncate(path, 0),
    "another byte": flip_a_byte,
    "replaced": replace,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_value_is_told_and_made_again(project: Project, damage: str) -> None:
    path = stored(project, "make", "made")
    whole = path.read_bytes()
    DAMAGES[damage](path)

    assert planned(project)["make"] == ("run", "the stored value of `made` is damaged")
    assert run(project) == {"make": "succeeded", "add": "reused", "show": "reused"}
    assert path.read_bytes() == whole
    assert {decision for decision, _ in planned(project).values()} == {"reuse"}


def test_a_value_that_is_gone_is_made_again(project: Project) -> None:
    stored(project, "make", "made").unlink()

    assert planned(project)["make"] == ("run", "the stored value of `made` is gone")
    assert run(project) == {"make": "succeeded", "add": "reused", "show": "reused"}


def test_a_copy_without_times_is_whole(project: Project) -> None:
    """`cp -r`: every file is looked at once, and is known again."""
    store, path = project.store_path, stored(project, "make", "made")
    shutil.copytree(store, store.with_name("copy"), copy_function=shutil.copyfile)
    shutil.rmtree(store)
    store.with_name("copy").rename(store)
    assert not project.store.artifacts.is_stamped(path.parent.name + path.name)

    assert {decision for decision, _ in planned(project).values()} == {"reuse"}
    assert project.store.artifacts.is_stamped(path.parent.name + path.name)


def test_damage_in_a_copy_without_times_is_found(project: Project) -> None:
    path = stored(project, "make", "made")
    for file in project.store_path.glob("artifacts/*/*"):
        os.utime(file)
    flip_a_byte(path)

    assert planned(project)["make"] == ("run", "the stored value of `made` is damaged")
    assert run(project) == {"make": "succeeded", "add": "reused", "show": "reused"}


def test_an_executed_notebook_that_was_damaged_is_not_shown(project: Project) -> None:
    run_id = project.runs()[0]["run_id"]
    executed = project.store.runs.step(run_id, "add")["executed"]
    truncate(project.store.artifacts.path(executed))

    shown = project.run_notebook(run_id)
    assert [bool(each["outputs"]) for each in shown["cells"]] == [False, True, False, True]
    assert planned(project)["add"] == ("run", "its executed notebook is damaged")
    assert run(project) == {"make": "reused", "add": "succeeded", "show": "reused"}
    assert json.dumps(project.run_notebook(run_id)).count("'made'") == 1


def test_damage_that_no_time_tells_is_found_when_the_value_is_loaded(project: Project) -> None:

    path = stored(project, "make", "made")
    document: dict[str, Any] = json.loads((project.root / "a.ipynb").read_text())
    document["cells"][2]["source"] = "total = int(made.sum()) + 1\nprint(total)"
    (project.root / "a.ipynb").write_text(json.dumps(document))
    truncate(path)
    size = path.stat().st_size
    os.utime(path, ns=(stamp_of(path.parent.name + path.name),) * 2)
    with project.store.database.transaction() as connection:  # as if it had always been that short
        connection.execute("UPDATE artifacts SET size_bytes = ?", (size,))
        connection.execute("UPDATE outputs SET size_bytes = ?", (size,))

    assert run(project) == {"make": "succeeded", "add": "succeeded", "show": "succeeded"}


def test_a_stored_file_is_kept_while_it_is_whole(tmp_path: Path) -> None:
    artifacts = ArtifactStore(tmp_path)
    name = artifacts.add_bytes(b"some bytes")
    before = artifacts.path(name).stat()
    time.sleep(0.02)

    assert artifacts.add_bytes(b"some bytes") == name
    after = artifacts.path(name).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert after.st_ctime_ns > before.st_ctime_ns, "somebody needs it"

    flip_a_byte(artifacts.path(name))
    assert artifacts.read_object(name) is None
    assert artifacts.add_bytes(b"some bytes") == name
    assert artifacts.read_object(name) == b"some bytes"


KINDS = notebook(
    cell("import numpy as np, pandas as pd, decimal"),
    cell("array = np.arange(5000.0)\nview = array[10:20]", step="arrays"),
    cell("table = pd.DataFrame({'a': range(3000), 'b': [str(n) for n in range(3000)]})", step="table"),
    cell("plain = {'k': [1, 2.5, None, 'text']}\nboxed = [decimal.Decimal(1) / 3]", step="plain"),
    cell("np.random.seed(7)\ndrawn = np.random.rand(3)", step="draw"),
    cell("more = np.random.rand(3)\nboth = [table, array]\n", step="gather"),
    cell("", step="show"),
)


def test_whatever_is_damaged_a_run_shows_the_same(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    path, chance = tmp_path / "a.ipynb", random.Random(5)
    shown = set()
    for round in range(4):
        document = json.loads(json.dumps(KINDS))
        document["cells"][-1]["source"] = (
            f"{round}\nprint(array.sum(), view.base is not None, len(table), table.b.iloc[-1], plain, boxed,"
            " drawn, more, len(both))"
        )
        write(document, path)
        project = Project(tmp_path, tmp_path / ".pipelines")
        run = project.run(path)
        assert run["status"] == "succeeded", run
        shown.add(str(project.run_notebook(run["run_id"])["cells"][-1]["outputs"][0]["text"]))
        for file in sorted(project.store_path.glob("artifacts/*/*")):
            if chance.random() < 0.4:
                chance.choice([*DAMAGES.values(), Path.unlink])(file)

    assert len(shown) == 1
    assert project.check()["status"] == "repaired"
    assert project.check()["status"] == "clean"
