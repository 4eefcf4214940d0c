"""Digests of data files are computed once for each content, beside the steps, and remembered in the store."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyterlab_pipelines import files
from jupyterlab_pipelines.project import Project
from jupyterlab_pipelines.store import Store
from tests.fixtures.notebooks import cell, notebook, write


def age(path: Path) -> None:
    """Make a file old enough that another change would show: by waiting, since nobody can set `ctime`."""
    while not files.is_settled(path.stat()):
        time.sleep(0.1)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the files that were read for a digest, in what passes for one new process after another."""
    read: list[str] = []

    def read_digest(path: str) -> str:
        read.append(os.path.basename(path))
        return original(path)

    original = files.read_digest
    monkeypatch.setattr(files, "read_digest", read_digest)
    monkeypatch.setattr(files, "RACY_NS", 50_000_000)
    yield read
    files._digests.clear()


def new_process() -> None:
    files._digests.clear()


def test_a_digest_is_remembered_while_the_file_stays(tmp_path: Path, hashed: list[str]) -> None:
    store = Store(tmp_path / "store")
    store.create()
    path = tmp_path / "data.csv"
    path.write_text("1")
    age(path)

    def digest() -> str:
        new_process()
        found = files.file_digest(str(path), store.files)
        store.files.flush()
        return found

    first = digest()
    assert (digest(), hashed) == (first, ["data.csv"])
    path.touch()
    age(path)
    assert (digest(), digest(), len(hashed)) == (first, first, 2)
    status = path.stat()
    path.write_text("2")  # as large, and with the old time
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    age(path)
    assert digest() != first


def test_a_young_file_is_not_remembered(tmp_path: Path, hashed: list[str]) -> None:
    store = Store(tmp_path / "store")
    store.create()
    path = tmp_path / "data.csv"
    for content in ("1", "2"):
        path.write_text(content)
        files.file_digest(str(path), store.files)
        store.files.flush()

    assert store.database.rows("SELECT * FROM file_digests") == []


def test_remembering_makes_no_store(tmp_path: Path, hashed: list[str]) -> None:
    store = Store(tmp_path / "store")
    path = tmp_path / "data.csv"
    path.write_text("1")
    age(path)

    files.file_digest(str(path), store.files)
    store.files.flush()

    assert not store.path.exists()


@pytest.mark.usefixtures("shared_fork_server")
def test_a_run_completes_its_traces(tmp_path: Path, hashed: list[str]) -> None:
    (tmp_path / "pyproject.toml").touch()
    data = tmp_path / "data.csv"
    data.write_text("1")
    path = write(notebook(cell("x = open('data.csv').read()", step="read")), tmp_path / "a.ipynb")
    time.sleep(files.RACY_NS / 1e9 + 2.2)  # the kernel has its own idea of what is young

    project = Project.open(path)
    project.run(path)

    [execution] = [project.store.executions.get(1)]
    assert execution is not None
    size, mtime_ns, digest, ctime_ns = execution.trace["files"]["data.csv"]
    assert (size, mtime_ns, ctime_ns) == (1, data.stat().st_mtime_ns, data.stat().st_ctime_ns)
    assert digest == files.read_digest(data)

    # Unchanged: nobody reads it. Touched: once. Another content of the same size and time: found.
    hashed.clear()
    new_process()
    assert decisions(path) == ["reuse"] and hashed == []
    data.touch()
    age(data)
    for _ in range(3):
        new_process()
        assert decisions(path) == ["reuse"]
    assert hashed == ["data.csv"]
    before = data.stat()
    data.write_text("2")
    os.utime(data, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert decisions(path) == ["run"]


def decisions(path: Path) -> list[str]:
    return [step["decision"] for step in Project.open(path).plan(path)["steps"]]
