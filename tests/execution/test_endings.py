"""Cancel, Ctrl-C and sudden death: quick, told as what they are, nothing lost and nobody left behind."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from jupyterlab_pipelines.project import Project
from jupyterlab_pipelines.store import Store
from jupyterlab_pipelines.store.locks import FileLock
from tests.fixtures.notebooks import Notebook, cell, notebook, write
from tests.fixtures.processes import (
    fork_servers,
    kernels,
    parent_of,
    processes_with,
    run_in_background,
    wait_for,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.delenv("JUPYTER_PIPELINES_STORE", raising=False)
    return tmp_path


def store(folder: Path) -> Path:
    return folder / ".pipelines"


def wait_for_file(path: Path) -> None:
    wait_for(path.exists)


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in document["steps"]}


@pytest.fixture(params=["forked", "started"])
def kernel(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A kernelspec whose kernels are forked from a process of ours, and one whose kernels are not."""
    if request.param == "forked":
        return "python3"
    argv = [sys.executable, "-m", "ipykernel", "-f", "{connection_file}"]
    spec = tmp_path / "jupyter" / "kernels" / "plain" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": argv, "display_name": "Plain", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    return "plain"


def waiting(body: str = "time.sleep(600)", kernel: str = "python3") -> Notebook:
    """`first` ends at once, `wait` writes its process id into a file and stays, `last` needs it."""
    return notebook(
        cell("import os, pathlib, time"),
        cell("x = 1", step="first"),
        cell(
            f"_ = pathlib.Path('began').write_text(str(os.getpid()))\nlen(str(x))\n{body}\ny = x", step="wait"
        ),
        cell("z = y", step="last"),
        kernel=kernel,
    )


CANCELLED = {"first": "succeeded", "wait": "cancelled", "last": "skipped"}
INTERRUPTED = {"first": "succeeded", "wait": "interrupted", "last": "skipped"}


# -- cancel ---------------------------------------------------------------------------------------

STUBBORN = {
    "in Python": "time.sleep(600)",
    "catches the interrupt and goes on": (
        "try:\n    time.sleep(600)\nexcept KeyboardInterrupt:\n    pass\nlen('less than it was to do')"
    ),
    "never gives in": (
        "while True:\n    try:\n        time.sleep(600)\n    except KeyboardInterrupt:\n        pass"
    ),
    "in a C call": "import ctypes\nctypes.PyDLL(None).sleep(600)",
    "has processes of its own": (
        "import subprocess\nprocess = subprocess.Popen(['sleep', '601'])\nprocess.wait()"
    ),
}


def test_one_step_is_cancelled_and_the_others_go_on(folder: Path) -> None:
    stay = "_ = pathlib.Path('began').write_text('')\nwhile not pathlib.Path('go').exists():\n    time.sleep(0.05)"
    path = write(
        notebook(
            cell("import pathlib, time"),
            cell("x = 1", step="first"),
            cell(f"{stay}\na = x", step="wait"),
            cell("time.sleep(600)\nb = x", step="stuck"),
            cell("c = b", step="needs_stuck"),
            cell("d = a + 1", step="needs_wait"),
            cell("e = d + 1", step="unwanted"),
        ),
        folder / "a.ipynb",
    )
    project = Project.open(path)
    run_id = project.start(path, jobs=2)
    wait_for_file(folder / "began")
    wait_for(lambda: statuses(project.run_document(run_id))["stuck"] == "running")

    project.cancel_step(run_id, "stuck")
    project.cancel_step(run_id, "unwanted")  # before its turn
    project.cancel_step(run_id, "first")  # too late
    wait_for(lambda: statuses(project.run_document(run_id))["stuck"] == "cancelled", 15)
    (folder / "go").touch()
    document = wait_for(
        lambda: (found := project.run_document(run_id))["status"] not in ("queued", "running") and found, 30
    )

    assert (document["status"], statuses(document)) == (
        "cancelled",
        {
            "first": "succeeded",
            "wait": "succeeded",
            "stuck": "cancelled",
            "needs_stuck": "skipped",
            "needs_wait": "succeeded",
            "unwanted": "cancelled",
        },
    )
    wait_for(lambda: not processes_with(store(folder)), 10)


@pytest.mark.parametrize("what", STUBBORN)
def test_a_detached_run_is_cancelled(folder: Path, what: str) -> None:
    path = write(waiting(STUBBORN[what]), folder / "a.ipynb")
    project = Project.open(path)
    run_id = project.start(path)
    wait_for_file(folder / "began")
    asked = time.monotonic()

    project.cancel(run_id)
    document = wait_for(
        lambda: (found := project.run_document(run_id))["status"] not in ("queued", "running") and found, 15
    )

    assert time.monotonic() - asked < 8
    assert document["status"] == "cancelled"
    assert statuses(document) == CANCELLED
    wait_for(lambda: not processes_with(store(folder)), 5)
    # What was done is kept; what was cut short is not.
    decisions = {step["name"]: step["decision"] for step in project.plan(path)["steps"]}
    assert decisions == {"first": "reuse", "wait": "run", "last": "undecided"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_cancel_a_run_in_the_foreground(folder: Path, number: signal.Signals, kernel: str) -> None:
    write(waiting(kernel=kernel), folder / "a.ipynb")

    with run_in_background(folder, "run", "a.ipynb", "--json", "--output", "out.ipynb") as process:
        wait_for_file(folder / "began")
        process.send_signal(number)
        out, err = process.communicate(timeout=15)

    assert process.returncode == 1
    document = json.loads(out)
    assert (document["status"], statuses(document)) == ("cancelled", CANCELLED)
    assert "Traceback" not in err
    assert not processes_with(store(folder))
    assert json.loads((folder / "out.ipynb").read_text())["cells"][1]["execution_count"] is not None


def test_a_second_signal_does_not_wait(folder: Path) -> None:
    write(waiting(STUBBORN["never gives in"]), folder / "a.ipynb")

    with run_in_background(folder, "run", "a.ipynb", "--json") as process:
        wait_for_file(folder / "began")
        asked = time.monotonic()
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        out, _ = process.communicate(timeout=15)

    assert time.monotonic() - asked < 3
    assert (process.returncode, json.loads(out)["status"]) == (1, "cancelled")
    assert not processes_with(store(folder))


def test_signals_at_any_moment_end_it(folder: Path) -> None:
    """From the start of the interpreter on: never a hang, and the history tells no run as going on."""
    path = write(waiting(), folder / "a.ipynb")
    for delay in (0.2, 0.6, 1.0):
        with run_in_background(folder, "run", "a.ipynb", "--json") as process:
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=15)
        assert process.returncode != 0
    assert {run["status"] for run in Project.open(path).runs(path)} <= {"cancelled", "interrupted"}
    assert not processes_with(store(folder))


# -- sudden death ---------------------------------------------------------------------------------


def test_a_killed_runner_is_told_as_interrupted(folder: Path, kernel: str) -> None:
    body = "time.sleep(600)"
    if kernel == "python3":
        body = f"import subprocess\nsubprocess.Popen(['sleep', '602'])\n{body}"
    path = write(waiting(body, kernel), folder / "a.ipynb")
    project = Project.open(path)

    with run_in_background(folder, "run", "a.ipynb") as process:
        wait_for_file(folder / "began")
        process.kill()
        process.wait(5)
    [run] = project.runs(path)

    assert run["status"] == "interrupted"
    assert statuses(project.run_document(run["run_id"])) == INTERRUPTED
    wait_for(lambda: not processes_with(store(folder)), 5)
    write(waiting("pass", kernel), path)
    assert statuses(project.run(path)) == {"first": "reused", "wait": "succeeded", "last": "succeeded"}


def test_a_killed_detached_runner_is_told_as_interrupted(folder: Path) -> None:
    path = write(waiting(), folder / "a.ipynb")
    project = Project.open(path)
    run_id = project.start(path)
    wait_for_file(folder / "began")
    [server] = fork_servers(store(folder))

    os.kill(parent_of(server), signal.SIGKILL)
    wait_for(lambda: project.run_document(run_id)["status"] == "interrupted", 5)

    assert statuses(project.run_document(run_id)) == INTERRUPTED
    wait_for(lambda: not processes_with(store(folder)), 5)
    project.cancel(run_id)
    assert project.run_document(run_id)["status"] == "interrupted"


def test_a_killed_kernel_is_a_failed_step(folder: Path, kernel: str) -> None:
    path = write(waiting(kernel=kernel), folder / "a.ipynb")
    project = Project.open(path)
    run_id = project.start(path)
    wait_for_file(folder / "began")

    own = int(wait_for((folder / "began").read_text))
    assert own in kernels(store(folder))
    os.kill(own, signal.SIGKILL)
    document = wait_for(
        lambda: (found := project.run_document(run_id))["status"] not in ("queued", "running") and found, 15
    )

    assert statuses(document) == {"first": "succeeded", "wait": "failed", "last": "skipped"}
    error = document["steps"][1]["error"]
    assert (error["code"], error["cell_index"]) == ("kernel_died", 2)
    assert not processes_with(store(folder))


def test_a_killed_fork_server_is_done_without(folder: Path) -> None:
    path = write(waiting("while not pathlib.Path('go').exists():\n    time.sleep(0.1)"), folder / "a.ipynb")
    project = Project.open(path)
    run_id = project.start(path)
    wait_for_file(folder / "began")

    [server] = fork_servers(store(folder))
    os.kill(server, signal.SIGKILL)
    (folder / "go").touch()
    document = wait_for(
        lambda: (found := project.run_document(run_id))["status"] not in ("queued", "running") and found, 30
    )

    assert statuses(document) == {"first": "succeeded", "wait": "succeeded", "last": "succeeded"}
    assert not processes_with(store(folder))


def shown_last(project: Project, run_id: str) -> str:
    """What the last cell of a run has printed."""
    return "".join(project.run_notebook(run_id)["cells"][-1]["outputs"][0]["text"])


CHAIN = notebook(
    cell("import time"),
    *(cell(f"x{n} = {f'x{n - 1} + 1' if n else '0'}\ntime.sleep(0.02)", step=f"s{n}") for n in range(6)),
    cell("print(x5)", step="end"),
)

LEFT_OVER = {"interrupted_run", "lock", "partial_file", "run_folder", "unknown_file"}
"""What `check` may find after somebody was killed: nothing that anybody misses."""


def kill_at_random(folder: Path, times: int, seed: int) -> None:
    """Runs of which a process is killed at random moments: the store is whole after each.

    Mostly the runner is killed, sometimes the fork server or a kernel, which the runner must notice.
    """
    path = write(CHAIN, folder / "a.ipynb")
    chance = random.Random(seed)
    done: set[str] = set()
    told: set[str] = set()
    for _ in range(times):
        victim = chance.choice(["runner", "runner", "runner", "fork server", "kernel"])
        with run_in_background(folder, "run", "a.ipynb", "--jobs", "2") as process:
            time.sleep(chance.uniform(0.1, 2.2))
            others = {
                "runner": [],
                "fork server": fork_servers(store(folder)),
                "kernel": kernels(store(folder)),
            }
            for pid in others[victim]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not others[victim]:
                process.kill()
            process.communicate(timeout=30)
        project = Project.open(path)
        ends = {"interrupted", "succeeded"} | ({"failed"} if others[victim] else set())
        new = [run for run in project.runs(path, limit=times) if run["run_id"] not in told]
        assert {run["status"] for run in new} <= ends, new
        told |= {run["run_id"] for run in new}
        # What was interrupted is told when somebody looks, which was just now.
        assert {finding["kind"] for finding in project.check()["findings"]} <= LEFT_OVER
        reused = {step["name"] for step in project.plan(path)["steps"] if step["decision"] == "reuse"}
        assert done <= reused, "what was finished once is never lost"
        done = reused
        if len(done) == len(CHAIN["cells"]) - 1:
            # From the beginning, in the same store: the next change of the first step.
            document = json.loads(path.read_text())
            document["cells"][1]["source"] += [f"\nseen = {chance.random()}"]
            write(
                {**document, "cells": [{**c, "source": "".join(c["source"])} for c in document["cells"]]},
                path,
            )
            done = set()
    assert len(project.runs(path)) > times // 3, "too slow a machine to be killed at work"
    document = project.run(path)
    assert set(statuses(document).values()) <= {"succeeded", "reused"}
    assert shown_last(project, document["run_id"]) == "5\n"
    wait_for(lambda: not processes_with(store(folder)), 5)
    assert {finding["kind"] for finding in project.check()["findings"]} <= LEFT_OVER
    assert project.check()["status"] == "clean"


@pytest.mark.timeout(180)
def test_killed_again_and_again_it_gets_there(folder: Path) -> None:
    kill_at_random(folder, times=12, seed=1)


# -- side by side ---------------------------------------------------------------------------------


@pytest.mark.timeout(300)
def test_eight_runs_at_once_run_each_step_once(folder: Path) -> None:
    write(
        notebook(
            cell("import time"),
            *(
                cell(f"x{n} = {f'x{n - 1} + 1' if n else '0'}\ntime.sleep(0.1)", step=f"s{n}")
                for n in range(4)
            ),
            cell("y = 7", step="side"),
            cell("print(x3 + y)", step="end"),
        ),
        folder / "a.ipynb",
    )
    with contextlib.ExitStack() as stack:
        runs = [
            stack.enter_context(run_in_background(folder, "run", "a.ipynb", "--jobs", "2", "--json"))
            for _ in range(8)
        ]
        ended = [json.loads(run.communicate(timeout=240)[0]) for run in runs]

    assert [run["status"] for run in ended] == ["succeeded"] * 8
    executed = Counter(
        step["name"] for run in ended for step in run["steps"] if step["status"] == "succeeded"
    )
    assert executed == {"s0": 1, "s1": 1, "s2": 1, "s3": 1, "side": 1, "end": 1}
    project = Project.open(folder)
    assert project.store.database.row("SELECT count(*) FROM executions")[0] == 6  # type: ignore[index]
    for run in ended:
        assert shown_last(project, run["run_id"]) == "10\n"
    assert project.check()["status"] == "clean"


def test_what_another_run_has_just_done_is_not_done_again(folder: Path) -> None:
    """Between the look at the cache and the lock of the step, another run may have executed it."""
    path = write(notebook(cell("x = 1", step="first"), cell("print(x)", step="end")), folder / "a.ipynb")
    step_lock = Store.step_lock
    others: list[Any] = []

    def lock_after_another_run(store: Store, cache_key: str) -> FileLock:
        if not others:
            others.append("under way")
            others.append(Project.open(folder).run(path))
        return step_lock(store, cache_key)

    with mock.patch.object(Store, "step_lock", lock_after_another_run):
        document = Project.open(folder).run(path)

    assert statuses(others[1]) == {"first": "succeeded", "end": "succeeded"}
    assert statuses(document) == {"first": "reused", "end": "reused"}


def is_held(document: dict[str, Any]) -> bool:
    """Whether all steps but `hold` have ended."""
    return {status for step, status in statuses(document).items() if step != "hold"} <= {
        "succeeded",
        "reused",
    }


def test_gc_and_check_while_runs_are_under_way(folder: Path) -> None:
    """They see what the runs have written and not told of yet, and leave it alone."""
    # While it waits the run is under way: when that has ended, `gc` may take what it has left.
    hold = cell("import os\nwhile not os.path.exists('go'):\n    time.sleep(0.02)", step="hold", cache="off")
    write(CHAIN | {"cells": [hold, *CHAIN["cells"]]}, folder / "a.ipynb")
    project = Project.open(folder / "a.ipynb")
    for force in ([], ["s0"], ["s3"]):
        (folder / "go").unlink(missing_ok=True)
        run_id = project.start(folder / "a.ipynb", force=force, jobs=2)
        while not is_held(project.run_document(run_id)):
            project.gc(max_size_bytes=0)
            findings = project.check()["findings"]
            assert {finding["kind"] for finding in findings} <= {"lock"}, findings
        (folder / "go").touch()
        document = wait_for(
            lambda: (found := project.run_document(run_id))["finished_at"] and found  # noqa: B023
        )

        assert document["status"] == "succeeded"
        assert shown_last(project, run_id) == "5\n"
        executed = {step["name"] for step in document["steps"] if step["status"] == "succeeded"}
        assert executed == ({"hold", *force} if force else {step["name"] for step in document["steps"]})


if __name__ == "__main__":
    # The long form: python -m tests.execution.test_endings 300
    import tempfile

    for round in range(int(sys.argv[1]) // 20):
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / "pyproject.toml").touch()
            kill_at_random(Path(name), times=20, seed=round)
            print(f"{20 * (round + 1)} kills", flush=True)
