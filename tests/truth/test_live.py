"""Notebooks that use ``%%step``, executed as a whole: what they show is what they would show without us.

Once with an empty store, once with a full one; and a pipeline run, which reuses what the kernel has left.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import cell, notebook, write
from tests.oracle import assert_same_outputs, cell_texts
from tests.truth.live import ROOT, execute, plain, truth, with_step_lines
from tests.truth.test_cases import CASES

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("shared_fork_server")]

CHOSEN = (
    "a generator of a list that another step changes",
    "the order of sets",
    "a closure changes a global",
    "a database in memory",
    "a weak reference",
    "a module beside the notebook has a state",
    "sharing by way of a name that is rebound",
)


@pytest.mark.parametrize("name", CHOSEN)
def test_a_notebook_with_step_lines_shows_what_run_all_shows(name: str, tmp_path: Path) -> None:
    expected = truth(CASES[name], tmp_path / "truth")
    document = with_step_lines(CASES[name])
    folder = tmp_path / "live"

    for _ in ("empty store", "full store"):
        assert_same_outputs(plain(execute(document, folder)[1:]), expected)
    output = tmp_path / "output.ipynb"
    Project.open(folder / "notebook.ipynb").run(folder / "notebook.ipynb", output=output)
    assert_same_outputs(plain(cell_texts(output)[1:]), expected)


@pytest.mark.parametrize("tool", ["papermill", "nbconvert", "jupytext"])
def test_other_tools_execute_it_as_an_ordinary_notebook(tool: str, tmp_path: Path) -> None:
    pytest.importorskip(tool)
    document = notebook(
        cell("%load_ext jupyterlab_pipelines"),
        cell("n = 2", tags=["parameters"]),
        cell("%%step a --role importer\nxs = list(range(n))\nxs"),
        cell("%%step b\nimport asyncio\nawait asyncio.sleep(0, sum(xs))"),
    )
    path = write(document, tmp_path / "notebook.ipynb")
    output = tmp_path / "output.ipynb"
    (tmp_path / "pyproject.toml").touch()
    command = {
        "papermill": ["papermill", str(path), str(output), "-p", "n", "4"],
        "nbconvert": ["nbconvert", "--to", "notebook", "--execute", str(path), "--output", str(output)],
        "jupytext": ["jupytext", "--execute", "--output", str(output), str(path)],
    }[tool]

    for _ in ("empty store", "full store"):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        cells = [each for each in json.loads(output.read_text())["cells"] if each["cell_type"] == "code"]
        shown = ["".join(o["data"]["text/plain"]) for each in cells for o in each["outputs"] if "data" in o]
        assert shown == (["[0, 1, 2, 3]", "6"] if tool == "papermill" else ["[0, 1]", "1"])
