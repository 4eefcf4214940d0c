"""`gc`, `tag` and `comment` on the command line."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.cli import run_command
from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.store import Store
from tests.store.histories import History


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = History(Store(tmp_path / "store"))
    history.run("old", {"a": {"x": b"1" * 5000}}, days_ago=40)
    history.run("new", {"a": {"x": b"2" * 1000}}, days_ago=2)
    time.sleep(0.05)  # what was written this moment nobody judges
    return history


@pytest.fixture
def command(history: History, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str) -> str:
        assert run_command([words[0], "--store", str(history.store.path), *words[1:]]) == 0
        return capsys.readouterr().out

    return run


def test_gc_tells_before_and_after(command: Any, history: History) -> None:
    said = json.loads(command("gc", "--dry-run", "--json"))
    done = json.loads(command("gc", "--json"))

    assert said == done | {"dry_run": True}
    assert (done["executions"], done["runs"], done["is_enough"]) == (1, 1, True)
    assert done["reclaimed_bytes"] == done["size_bytes"] - done["kept_bytes"] > 5000
    assert command("gc").startswith("Nothing to reclaim")


@pytest.mark.parametrize(
    ("size", "runs"), [("1TB", ["old", "new"]), ("3kB", ["new"]), ("2 KiB", ["new"]), ("0", [])]
)
def test_sizes(command: Any, history: History, size: str, runs: list[str]) -> None:
    command("gc", "--max-size", size)

    assert [run for run in history.used if history.used[run] <= history.files().keys()] == runs


@pytest.mark.parametrize(("age", "runs"), [("10w", ["old", "new"]), ("7d", ["new"]), ("36h", [])])
def test_ages(command: Any, history: History, age: str, runs: list[str]) -> None:
    command("gc", "--older-than", age)

    assert [run for run in history.used if history.used[run] <= history.files().keys()] == runs


@pytest.mark.parametrize("words", [["--max-size", "much"], ["--older-than", "1y"], ["--older-than", "-3d"]])
def test_wrong_use(command: Any, words: list[str]) -> None:
    with pytest.raises(UsageError):
        command("gc", *words)


def test_a_tag_pins_until_it_is_removed(command: Any, history: History) -> None:
    assert command("tag", "old", "paper", "best") == "run old: paper, best\n"
    assert "tagged runs need 5.0 kB" in command("gc", "--max-size", "1kB")
    assert history.used["old"] <= history.files().keys()

    assert command("tag", "old", "best", "--remove") == "run old: paper\n"
    assert command("tag", "old", "paper", "--remove") == "run old: no tags\n"
    command("gc", "--max-size", "1kB")
    assert not history.files()


def test_a_comment_comes_and_goes(command: Any) -> None:
    assert command("comment", "old", "as in the paper") == "run old: as in the paper\n"
    assert command("comment", "old", "--remove") == "run old: no comment\n"
    with pytest.raises(UsageError):
        command("comment", "old")
