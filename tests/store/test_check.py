"""`check` finds what is not as it should be, mends what can be mended, and then finds nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyterlab_pipelines.cli import run_command
from jupyterlab_pipelines.store import Store
from jupyterlab_pipelines.store.artifacts import stamp_of
from jupyterlab_pipelines.store.check import Report
from jupyterlab_pipelines.store.check import check as check_now
from tests.store.histories import History, tree


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = History(Store(tmp_path / "store"))
    history.run("first", {"a": {"x": b"1" * 100}, "b": {"y": b"2"}}, days_ago=1)
    history.run("second", {"a": {"x": b"1" * 100}})
    history.store.integrity.compute_checksums(history.files())
    return history


def check(store: Store) -> Report:
    """When the clock of the file system has gone on: what was written this moment nobody judges."""
    time.sleep(0.03)
    return check_now(store)


def value(history: History) -> str:
    return history.executions["a.ipynb/a/[('x', b'" + "1" * 100 + "')]"].outputs["x"].stored


def notebook_of(history: History) -> str:
    return history.executions["a.ipynb/b/[('y', b'2')]"].notebook


def rot(path: Path) -> None:
    """A byte changes, and neither the size nor the time tells."""
    before = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))


DAMAGES: dict[str, Callable[[History], object]] = {
    "damaged_value": lambda history: rot(history.store.artifacts.path(value(history))),
    "missing_value": lambda history: history.store.artifacts.remove(value(history)),
    "damaged_object": lambda history: rot(history.store.artifacts.path(notebook_of(history))),
    "missing_object": lambda history: history.store.artifacts.remove(notebook_of(history)),
    "unknown_file": lambda history: history.store.artifacts.add_bytes(b"nobody's"),
    "partial_file": lambda history: (history.store.artifacts.path(value(history)).parent / ".x.part").touch(),
    "run_folder": lambda history: history.store.run_folder("gone").mkdir(),
    "lock": lambda history: (history.store.path / "locks" / "step-abc").touch(),
    "interrupted_run": lambda history: history.store.runs.create(
        "third",
        notebook="a.ipynb",
        parameters={},
        options={},
        snapshot=history.store.runs.row("first")["snapshot"],
        output=None,
    ),
}


def test_a_whole_store_is_clean(history: History) -> None:
    before = tree(history.store.path)

    report = check(history.store)

    assert (report.status, report.findings) == ("clean", [])
    assert (report.files, report.size_bytes) == (len(history.files()), sum(history.files().values()))
    assert tree(history.store.path) == before


def test_no_store_is_clean(tmp_path: Path) -> None:
    assert check(Store(tmp_path / "store")).status == "clean"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_found_once(history: History, kind: str) -> None:
    DAMAGES[kind](history)

    report = check(history.store)

    assert [finding.kind for finding in report.findings] == [kind]
    assert report.status == "repaired"
    assert check(history.store).status == "clean"
    assert all(
        history.store.artifacts.read_object(name) or name == value(history) for name in history.files()
    )


def test_a_copy_without_times_is_clean(history: History) -> None:
    for name in history.files():
        os.utime(history.store.artifacts.path(name))

    assert check(history.store).status == "clean"
    assert all(history.store.artifacts.status(name).st_mtime_ns == stamp_of(name) for name in history.files())  # type: ignore[union-attr]


def test_what_a_run_under_way_has_written_is_left_alone(history: History) -> None:
    time.sleep(0.03)
    lock = history.store.run_lock("now")
    assert lock.acquire()
    history.store.run_folder("now").mkdir()
    written = history.store.artifacts.add_bytes(b"not told of yet")
    try:
        assert check(history.store).status == "clean"
    finally:
        lock.release()

    assert history.store.artifacts.read_object(written) is not None
    assert {finding.kind for finding in check(history.store).findings} == {"unknown_file", "run_folder"}


def test_a_damaged_index_is_made_anew(history: History) -> None:
    with history.store.database.transaction() as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'cache_key', 'step')"
                           " WHERE name = 'executions_by_key'")  # fmt: skip
        connection.execute("PRAGMA writable_schema = RESET")
    history.store.database.close()

    report = check(history.store)

    assert [finding.kind for finding in report.findings] == ["database"]
    assert report.status == "repaired"
    assert check(history.store).status == "clean"


def overwrite_a_table(path: Path) -> None:
    connection = sqlite3.connect(path)
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'executions'").fetchone()[0]
    connection.close()
    data = bytearray(path.read_bytes())
    data[(root - 1) * size + 50 : root * size] = b"\xff" * (size - 50)
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [overwrite_a_table, lambda path: path.write_bytes(b"no database" * 1000)])
def test_a_database_that_cannot_be_mended(
    history: History, damage: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    history.store.database.close()
    before = history.files()
    damage(history.store.database.path)

    status = run_command(["check", "--store", str(history.store.path), "--json"])

    document = json.loads(capsys.readouterr().out)
    assert (status, document["status"]) == (1, "damaged")
    assert [finding["is_repaired"] for finding in document["findings"]] == [False]
    assert history.files() == before


def test_the_command_tells(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    DAMAGES["damaged_value"](history)
    words = ["check", "--store", str(history.store.path)]

    assert run_command(words) == 0
    assert capsys.readouterr().out.splitlines() == [
        "✓ the stored value of `x` (step `a` of a.ipynb) is damaged: removed, the step runs again when somebody"
        " needs it",
        f"Repaired. The store is whole now: 5 stored files, {sum(history.files().values())} B.",
    ]
    assert run_command([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "clean"
