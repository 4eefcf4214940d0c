"""The magics in IPython's terminal: text, and the same cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import cell, notebook, write

ROOT = Path(__file__).parents[2]
CELLS = (
    "%load_ext jupyterlab_pipelines",
    "import pandas as pd",
    "%%step load\ndf = pd.DataFrame({'a': [1, 2]})\nprint('loaded')\ndf",
    "%%step total\ntotal = int(df.a.sum())\ntotal",
)


def terminal(folder: Path, *cells: str) -> str:
    """What a terminal shows of these cells."""
    code = (
        "import sys\nfrom IPython.terminal.interactiveshell import TerminalInteractiveShell\n"
        "shell = TerminalInteractiveShell.instance(simple_prompt=True, colors='nocolor')\n"
        f"for cell in {list(cells)!r}:\n    shell.run_cell(cell, store_history=True)\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(folder / "ipython"),
        "NO_COLOR": "1",
    }
    environment.pop("JPY_SESSION_NAME", None)
    (folder / "pyproject.toml").touch()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_steps_are_stored_and_shown_again(tmp_path: Path) -> None:
    first = terminal(tmp_path, *CELLS, "%pipeline status")
    second = terminal(tmp_path, *CELLS, "%pipeline status")

    assert first.count("stored, in run") == 2
    assert second.count("reused, from run") == 2
    shown = [text.split("The cells of this session")[0] for text in (first, second)]
    assert shown[0] == shown[1]
    assert "loaded\nOut[3]: \n   a\n0  1\n1  2\n" in shown[0]


def test_a_run_reuses_what_a_terminal_has_left_with_what_a_notebook_would_show(tmp_path: Path) -> None:
    path = write(notebook(*(cell(source) for source in CELLS)), tmp_path / "notebook.ipynb")
    terminal(tmp_path, CELLS[0], f"%pipeline use {path}", *CELLS[1:])

    project = Project.open(path)
    run = project.run(path)
    shown = project.run_notebook(run["run_id"])["cells"][2]["outputs"]

    assert [step["status"] for step in run["steps"]] == ["reused", "reused"]
    assert [output["output_type"] for output in shown] == ["stream", "execute_result"]
    assert shown[0]["text"] == "loaded\n"
    assert "<table" in "".join(shown[1]["data"]["text/html"])


def test_progress_and_errors_are_text(tmp_path: Path) -> None:
    path = write(notebook(cell("x = 1", step="a")), tmp_path / "notebook.ipynb")

    shown = terminal(tmp_path, CELLS[0], f"%pipeline use {path}", "%pipeline run", "%pipeline nope")

    assert "succeeded    a" in shown
    assert "error: %pipeline has no command `nope`." in shown
    assert "Traceback" not in shown
