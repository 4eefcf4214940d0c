"""Sweeps: a run for each set of parameters, which share what they have in common."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from jupyterlab_pipelines.errors import NotFoundError, UsageError
from jupyterlab_pipelines.project import Project

CELLS = [
    (["parameters"], "alpha = 1\npause = 0"),
    (["step:load"], "from pathlib import Path\ndata = Path('data.txt').read_text()"),
    (["step:train"], "import time\ntime.sleep(pause)\nmodel = len(data) * alpha"),
]


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    (tmp_path / ".pipelines").mkdir()
    (tmp_path / "data.txt").write_text("four")
    cells = [
        {"cell_type": "code", "metadata": {"tags": tags}, "source": source, "outputs": []}
        for tags, source in CELLS
    ]
    path = tmp_path / "sweep.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}))
    return path


def wait_for(project: Project, sweep: str, runs: int, statuses: set[str]) -> list[dict]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        page = project.history(limit=50, sweep=sweep)
        if page["total"] == runs and {run["status"] for run in page["runs"]} <= statuses:
            return page["runs"]
        time.sleep(0.1)
    raise TimeoutError(page)


def test_runs_share_what_their_parameters_leave_equal(notebook: Path) -> None:
    project = Project.open(notebook)

    sweep = project.start_sweep(notebook, [{"alpha": 2}, {"alpha": 3}], parallel=2)

    newest, first = wait_for(project, sweep, 2, {"succeeded"})
    assert (first["parameters"], newest["parameters"]) == ({"alpha": 2}, {"alpha": 3})
    assert (first["steps_executed"], newest["steps_executed"], newest["steps_reused"]) == (2, 1, 1)

    page = project.history(limit=1)
    assert (len(page["runs"]), page["sweep_runs"]) == (1, {sweep: 2})

    facts = project.step_facts(newest["run_id"], "load")
    assert facts["executed_in"] == first["run_id"]
    assert [Path(path).name for path in facts["files_read"]] == ["data.txt"]
    assert project.step_facts(newest["run_id"], "train")["parameters"] == {"alpha": 3, "pause": 0}
    compared = project.compare([newest["run_id"], first["run_id"]])["runs"]
    assert [run["values"]["alpha"] for run in compared] == [3, 2]
    codes = [[step["code"] for step in run["steps"]] for run in compared]
    assert codes[0] == codes[1]


def test_a_sweep_is_cancelled_as_one(notebook: Path) -> None:
    project = Project.open(notebook)
    sweep = project.start_sweep(notebook, [{"pause": 60}, {"pause": 61}, {"pause": 62}])
    wait_for(project, sweep, 1, {"running"})

    project.cancel_sweep(sweep)

    wait_for(project, sweep, 1, {"cancelled"})
    deadline = time.monotonic() + 10
    while (project.store_path / "sweeps" / sweep).exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert project.history(limit=5, sweep=sweep)["total"] == 1
    project.cancel_sweep(sweep)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_sweep_whose_process_was_killed_says_so_and_goes_on(notebook: Path) -> None:
    project = Project.open(notebook)
    sweep = project.start_sweep(notebook, [{"pause": 2.5}, {"pause": 0}, {"alpha": 5}])
    wait_for(project, sweep, 1, {"running"})
    assert [(each["status"], each["runs_total"]) for each in project.history(limit=1)["sweeps"]] == [
        ("running", 3)
    ]

    [process] = [
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if b"sweep_process" in (data := _command(folder)) and sweep.encode() in data
    ]
    os.kill(process, signal.SIGKILL)
    # The run that it had begun is a process of its own.
    wait_for(project, sweep, 1, {"succeeded"})
    told = {"sweep_id": sweep, "status": "interrupted", "runs_total": 3, "runs_begun": 1}
    assert project.history(limit=1)["sweeps"] == [told]

    project.resume_sweep(sweep)

    runs = wait_for(project, sweep, 3, {"succeeded"})
    assert [run["parameters"] for run in runs] == [{"alpha": 5}, {"pause": 0}, {"pause": 2.5}]
    deadline = time.monotonic() + 10
    while project.history(limit=1)["sweeps"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert project.history(limit=1)["sweeps"] == []
    with pytest.raises(NotFoundError):
        project.resume_sweep(sweep)


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_a_sweep_that_cannot_be_is_refused_before_anything_runs(notebook: Path) -> None:
    project = Project.open(notebook)
    with pytest.raises(UsageError):
        project.start_sweep(notebook, [])
    with pytest.raises(UsageError):
        project.start_sweep(notebook, [{"alpha": 1}, {"unknown": 1}])
    for wrong in ("sweep-0", "", "..", "../runs"):
        with pytest.raises(NotFoundError):
            project.cancel_sweep(wrong)
    assert project.history(limit=5)["total"] == 0
