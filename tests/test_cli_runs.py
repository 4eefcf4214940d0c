"""The command line with real runs: what scripts rely on, from outside the process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(240)

COMMAND = [sys.executable, "-m", "jupyterlab_pipelines.cli"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


def save(folder: Path, *cells: tuple[str, str], kernel: str = "python3") -> str:
    content = {
        "nbformat": 4,
        "nbformat_minor": 4,
        "metadata": {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}},
        "cells": [
            {
                "cell_type": "code",
                "metadata": {"tags": [tag] if tag else []},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for tag, source in cells
        ],
    }
    (folder / "a.ipynb").write_text(json.dumps(content))
    return "a.ipynb"


NUMBERS = (
    ("", "import math"),
    ("parameters", "n = 4"),
    ("step:load", "numbers = list(range(n))"),
    ("step:total", "total = sum(numbers)\ntotal"),
)


def pipelines(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], cwd=folder, capture_output=True, text=True, check=False)


def document(folder: Path, *words: str, status: int = 0) -> Any:
    done = pipelines(folder, *words, "--json")
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_run_a_second_one_and_their_history(folder: Path) -> None:
    notebook = save(folder, *NUMBERS)
    before = (folder / notebook).read_bytes()

    planned = document(folder, "plan", notebook)
    first = document(folder, "run", notebook, "--output", "out.ipynb")
    second = document(folder, "run", notebook)
    other = document(folder, "run", notebook, "-p", "n", "5")
    history = document(folder, "runs", notebook)["runs"]
    difference = document(folder, "diff", first["run_id"], other["run_id"])

    assert planned["steps"][0]["decision"] == "run"
    assert [step["status"] for step in first["steps"]] == ["succeeded", "succeeded"]
    assert [step["status"] for step in second["steps"]] == ["reused", "reused"]
    assert second["duration_seconds"] < 1
    assert [step["decision"] for step in other["steps"]] == ["run", "run"]
    assert [run["run_id"] for run in history] == [run["run_id"] for run in (other, second, first)]
    assert "n" in json.dumps(difference)
    assert (folder / notebook).read_bytes() == before
    outputs = json.loads((folder / "out.ipynb").read_text())["cells"][3]["outputs"]
    assert "".join(outputs[0]["data"]["text/plain"]) == "6"
    for words in (
        ["runs"],
        ["show", first["run_id"]],
        ["show", first["run_id"], "--step", "total"],
        ["plan", notebook],
    ):
        told = pipelines(folder, *words)
        assert (told.returncode, told.stderr) == (0, "")
        assert told.stdout
    told = pipelines(folder, "diff", first["run_id"], other["run_id"])
    assert told.returncode == 0 and "n" in told.stdout


def test_a_run_that_has_nothing_to_do_imports_nothing_to_run_with(folder: Path) -> None:
    notebook = save(folder, *NUMBERS)
    document(folder, "run", notebook)
    code = (
        "import sys\nfrom jupyterlab_pipelines import cli\n"
        f"try: cli.main(['run', {notebook!r}])\n"
        "except SystemExit as end: status = end.code\n"
        "heavy = ['papermill', 'nbformat', 'nbclient', 'pandas', 'jupyter_client', 'rich']\n"
        "print(status, [name for name in heavy if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "0 []"


def test_a_failing_cell_is_shown_with_its_line(folder: Path) -> None:
    notebook = save(folder, ("step:load", "x = 1"), ("step:fail", "y = x\nz = y / 0\nz"))

    told = pipelines(folder, "run", notebook)
    failed = document(folder, "run", notebook, status=1)

    assert told.returncode == 1
    assert "step `fail` failed in cell 2 of the notebook" in told.stdout
    assert "▸ 2 │ z = y / 0" in told.stdout
    assert "ZeroDivisionError" in told.stdout
    assert [step["status"] for step in failed["steps"]] == ["reused", "failed"]
    assert failed["steps"][1]["error"]["cell_index"] == 1


def test_ctrl_c_cancels_and_keeps_what_is_finished(folder: Path) -> None:
    notebook = save(folder, ("step:load", "x = 1"), ("step:wait", "import time\ntime.sleep(100 * x)"))
    process = subprocess.Popen(
        [*COMMAND, "run", notebook, "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.split()[:2] == ["running", "wait"]:
            break
    time.sleep(0.5)

    # As a terminal does it: to the whole process group, kernels and all.
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)

    cancelled = json.loads(out)
    assert (process.returncode, cancelled["status"]) == (1, "cancelled")
    assert {step["name"]: step["status"] for step in cancelled["steps"]} == {
        "load": "succeeded",
        "wait": "cancelled",
    }
    assert document(folder, "plan", notebook)["steps"][0]["decision"] == "reuse"


def test_bad_input_exits_with_2_and_a_document(folder: Path) -> None:
    (folder / "text.ipynb").write_text("no JSON")
    (folder / "list.ipynb").write_text("[]")

    def code(*words: str) -> str:
        return str(document(folder, *words, status=2)["error"]["code"])

    codes = {code("run", name) for name in ("none.ipynb", "text.ipynb", "list.ipynb")}
    codes.add(code("run", save(folder, ("", "x = 1"))))
    codes.add(code("run", save(folder, ("step:a", "x = = 1"))))
    codes.add(code("run", save(folder, ("step:a", "x = 1"), kernel="none-such")))
    notebook = save(folder, *NUMBERS)
    codes.add(code("run", notebook, "-p", "none", "1"))
    codes.add(code("run", notebook, "--step", "none"))
    codes.add(code("show", "none"))

    assert len(codes) >= 7
    assert not any("internal" in code for code in codes)
    told = pipelines(folder, "run", save(folder, ("step:a", "x = 1\ny = = 1")))
    assert told.returncode == 2 and "▸ 2 │ y = = 1" in told.stderr
