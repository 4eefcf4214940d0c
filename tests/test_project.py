"""The use cases together, with real kernels: several runs at once in one store."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import cell, notebook, parameters, write
from tests.fixtures.processes import run_in_background, wait_for


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.delenv("JUPYTER_PIPELINES_STORE", raising=False)
    return tmp_path


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in document["steps"]}


COUNTED = "with open('executed', 'a') as file:\n    file.write('{} ')\ntime.sleep(0.3)\n"


@pytest.mark.parametrize("at_once", [2, 4])
def test_runs_at_once_execute_every_step_once(folder: Path, at_once: int) -> None:
    names = ["a", "b", "c", "d"]
    reads = {"a": "1", "b": "a + 1", "c": "a + 2", "d": "b + c"}
    write(
        notebook(
            cell("import time"),
            *(cell(COUNTED.format(name) + f"{name} = {reads[name]}", step=name) for name in names),
        ),
        folder / "a.ipynb",
    )

    with ExitStack() as stack:
        processes = [
            stack.enter_context(run_in_background(folder, "run", "a.ipynb", "--json", "--jobs", "2"))
            for _ in range(at_once)
        ]
        answers = [process.communicate(timeout=90) for process in processes]

    assert [process.returncode for process in processes] == [0] * at_once, answers
    assert sorted((folder / "executed").read_text().split()) == names
    documents = [json.loads(out) for out, _ in answers]
    for name in names:
        ways = sorted(statuses(document)[name] for document in documents)
        assert ways == ["reused"] * (at_once - 1) + ["succeeded"]
    assert not any("locked" in err for _, err in answers)
    assert {run["status"] for run in Project.open(folder).runs()} == {"succeeded"}


def test_a_waiting_run_takes_over_when_the_other_is_killed(folder: Path) -> None:
    body = "import pathlib, time\nwith open('executed', 'a') as file:\n    file.write('x')\n"
    body += "while not pathlib.Path('go').exists():\n    time.sleep(0.1)\nx = 1"
    write(notebook(cell(body, step="a")), folder / "a.ipynb")

    with (
        run_in_background(folder, "run", "a.ipynb", "--json") as first,
        run_in_background(folder, "run", "a.ipynb", "--json") as second,
    ):
        wait_for((folder / "executed").exists)
        wait_for(lambda: len(Project.open(folder).active_runs()) == 2)
        time.sleep(0.5)
        runs = Project.open(folder).active_runs()
        assert all(run["steps"]["a"]["status"] == "running" for run in runs)
        # Whichever executes it: the other one must not wait for ever.
        first.kill()
        first.wait(10)
        (folder / "go").touch()
        out, err = second.communicate(timeout=60)

    assert second.returncode == 0, err
    assert sorted(run["status"] for run in Project.open(folder).runs()) == ["interrupted", "succeeded"]
    assert json.loads(out)["steps"][0]["status"] == "succeeded"


def test_runs_in_the_background_are_found_again(folder: Path) -> None:
    path = write(notebook(parameters("n = 1"), cell("x = n", step="a")), folder / "a.ipynb")
    project = Project.open(path)

    run_id = project.start(path, parameters={"n": 2})
    assert project.inspect(path)["run_id"] == run_id
    wait_for(lambda: Project.open(path).run_document(run_id)["status"] == "succeeded")

    assert project.inspect(path)["run_id"] is None
    [run] = project.runs(path)
    assert (run["run_id"], run["parameters"], run["steps_executed"]) == (run_id, {"n": 2}, 1)
    assert not (folder / ".pipelines" / "runs" / run_id / "runner.log").exists()
    assert list((folder / ".pipelines" / "locks").iterdir()) == []
